import { type ReactNode, useRef } from "react";
import { Button } from "antd";

interface FileButtonProps {
  accept: string;
  busy?: boolean;
  size?: "small" | "middle";
  primary?: boolean;
  children: ReactNode;
  onFile: (file: File) => void;
}

/** A button that asks for a file; the same file can be chosen twice. */
export function FileButton({ accept, busy = false, size = "middle", primary = false, children, onFile }: FileButtonProps) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <input
        ref={input}
        type="file"
        hidden
        accept={accept}
        onChange={(event) => {
          const file = event.target.files?.[0];
          event.target.value = "";
          if (file) onFile(file);
        }}
      />
      <Button size={size} loading={busy} type={primary ? "primary" : "default"} onClick={() => input.current?.click()}>
        {children}
      </Button>
    </>
  );
}
