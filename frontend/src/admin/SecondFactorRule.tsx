import { App, Select } from "antd";
import { api } from "../api";
import { useFailed } from "../failed";
import { useResource } from "../resource";
import { useWords } from "../words";
import { accountWords } from "../words/account";

const WHO = ["nobody", "administrators", "everyone"] as const;
type Who = (typeof WHO)[number];
interface Rule {
  required_of: Who;
  platform: Who;
}

/** Of whom the company asks a second factor; never of fewer than the platform does. */
export function SecondFactorRule() {
  const t = useWords(accountWords);
  const { message } = App.useApp();
  const failed = useFailed();
  const rule = useResource("rule", (signal) => api.get<Rule>("/access/second-factor", {}, signal));
  if (!rule.value) return null;
  const { required_of, platform } = rule.value;
  const least = WHO.indexOf(platform);
  const choose = (who: Who) =>
    api.put<Rule>("/access/second-factor", { required_of: who }).then((saved) => {
      rule.set(() => saved);
      message.success(t("ruleSaved", { who: t(who) }));
    }, failed);
  return (
    <label className="ms-row">
      <span className="ms-second ms-whole">{t("rule")}</span>
      <Select
        value={WHO[Math.max(least, WHO.indexOf(required_of))] ?? required_of}
        onChange={(who: Who) => void choose(who)}
        options={WHO.map((who, at) => ({ value: who, label: t(who), disabled: at < least }))}
        popupMatchSelectWidth={false}
        aria-label={t("rule")}
      />
    </label>
  );
}
