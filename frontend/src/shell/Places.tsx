import { Button } from "antd";
import { useNavigate } from "react-router";
import { Empty } from "../components/PageState";
import { useWords } from "../words";
import { shellWords } from "../words/shell";

function ToPlant() {
  const t = useWords(shellWords);
  const navigate = useNavigate();
  return <Button onClick={() => void navigate("/plant")}>{t("toPlant")}</Button>;
}

export function PicturesPlace() {
  const t = useWords(shellWords);
  return <Empty page title={t("picturesTitle")} text={t("picturesText")} action={<ToPlant />} />;
}

export function MissingPlace() {
  const t = useWords(shellWords);
  return <Empty page title={t("missingTitle")} text={t("missingText")} action={<ToPlant />} />;
}
