import { expect, test } from "vitest";
import { settingsOf } from "./release-settings";

test("lines of settings become names and values", () => {
  expect(settingsOf('flush_ms = 100\n\n# a remark\nlog_bytes_max = 20_000_000\ncompression = zstd\nmqtt_host = "0.0.0.0"')).toEqual({
    flush_ms: 100, log_bytes_max: 20_000_000, compression: "zstd", mqtt_host: "0.0.0.0",
  });
  expect(settingsOf("")).toEqual({});
  expect(() => settingsOf("flush_ms = 1\nnonsense")).toThrow("2");
});
