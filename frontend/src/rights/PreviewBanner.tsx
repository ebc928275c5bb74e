import { Button } from "antd";
import { useWords } from "../words";
import { rightsWords } from "../words/rights";
import { endPreview, preview } from "./preview";
import "./rights.css";

/** What the page is looked at as, and the way out: above everything, with a frame around the page. */
export function PreviewBanner() {
  const t = useWords(rightsWords);
  if (!preview) return null;
  const { name, placeName } = preview;
  return (
    <div className="ms-preview" role="status">
      <span className="ms-grow">
        <span className="ms-bold">{placeName === "" ? t("previewOf", { name }) : t("previewAt", { name, place: placeName })}</span> {t("previewText")}
      </span>
      <Button onClick={endPreview}>{t("endPreview")}</Button>
    </div>
  );
}
