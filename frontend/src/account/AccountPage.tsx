import { useZone } from "../session";
import { SessionsList } from "../shell/SessionsList";
import { useWords } from "../words";
import { accountWords } from "../words/account";
import { Factors } from "./Factors";
import { Links } from "./Links";
import "./account.css";

/** What a person decides about their own sign-in. */
export default function AccountPage() {
  const t = useWords(accountWords);
  const zone = useZone();
  return (
    <div className="ms-page ms-account">
      <h1>{t("account")}</h1>
      <h2>{t("factors")}</h2>
      <p className="ms-second">{t("factorsText")}</p>
      <Factors zone={zone} />
      <Links />
      <h2>{t("sessions")}</h2>
      <section className="ms-panel ms-account-part">
        <SessionsList />
      </section>
    </div>
  );
}
