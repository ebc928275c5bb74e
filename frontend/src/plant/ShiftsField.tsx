import { Form, Select } from "antd";
import { useWords } from "../words";
import { suppressWords } from "../words/suppress";

const MOST = 12;
const CLOCK = /^([01]\d|2[0-3]):[0-5]\d$/;
const USUAL = ["00:00", "06:00", "07:00", "08:00", "12:00", "14:00", "15:00", "16:00", "18:00", "20:00", "22:00", "23:00"];

/** When the shifts of a site begin: what "end of shift" and the ranges named after shifts go by. */
export function ShiftsField() {
  const t = useWords(suppressWords);
  const wellFormed = {
    validator: (_rule: unknown, starts: readonly string[] | undefined) => {
      const odd = starts?.find((text) => !CLOCK.test(text));
      return odd === undefined ? Promise.resolve() : Promise.reject(new Error(t("shiftOdd", { text: odd })));
    },
  };
  return (
    <Form.Item name="shifts" label={t("shifts")} extra={t("shiftsHint")} rules={[wellFormed]}>
      <Select mode="tags" maxCount={MOST} tokenSeparators={[",", " ", "，", "、"]} options={USUAL.map((value) => ({ value, label: value }))} />
    </Form.Item>
  );
}
