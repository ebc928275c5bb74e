import type { Messages } from "./format";

export const keyWords = {
  title: { en: "Keys", zh: "快捷键" },
  letters: { en: "Single letters, digits and signs act as keys", zh: "启用单个字母、数字、符号快捷键" },
  off: { en: "{does} (off)", zh: "{does}（已停用）" },

  everywhere: { en: "On every page", zh: "所有页面" },
  search: { en: "Search or jump", zh: "搜索或跳转" },
  overview: { en: "Overview", zh: "总览" },
  plant: { en: "Plant", zh: "工厂" },
  alarms: { en: "Alarms", zh: "报警" },
  trends: { en: "Trends", zh: "趋势" },
  connect: { en: "Connections", zh: "连接" },
  close: { en: "Close the top layer", zh: "关闭最上层" },
  help: { en: "This list", zh: "显示本列表" },

  lists: { en: "In lists", zh: "列表" },
  move: { en: "To another row", zh: "移动到其他行" },
  ends: { en: "To the first or last row", zh: "移动到首行或末行" },
  select: { en: "Select the row", zh: "选择行" },
  open: { en: "Open the row", zh: "打开行" },

  records: { en: "Records and forms", zh: "记录与表单" },
  newRecord: { en: "New record", zh: "新建记录" },
  editRecord: { en: "Edit the record", zh: "编辑记录" },
  nextRow: { en: "To the row below or above", zh: "移动到下一行或上一行" },
  saveForm: { en: "Save, as does Ctrl S", zh: "保存（Ctrl S 相同）" },

  alarmList: { en: "Alarm list", zh: "报警列表" },
  acknowledge: { en: "Acknowledge the selected", zh: "确认所选" },
  shelve: { en: "Shelve the selected", zh: "搁置所选" },

  assetPage: { en: "Plant and asset", zh: "工厂与资产" },
  fold: { en: "In the tree: open or close", zh: "资产树：展开或收起" },
  trendOf: { en: "In the tags: trend of the selected", zh: "测点表：所选测点的趋势" },
  alarmsOf: { en: "In the tags: alarms of the asset", zh: "测点表：该资产的报警" },

  trend: { en: "Trend", zh: "趋势" },
  pan: { en: "Earlier or later", zh: "向前或向后" },
  zoom: { en: "Zoom in or out", zh: "放大或缩小" },
  live: { en: "Live or paused", zh: "实时或暂停" },
  line: { en: "Show or hide a line", zh: "显示或隐藏曲线" },

  sheets: { en: "Sheets of tags", zh: "测点表格" },
  below: { en: "To the row below", zh: "移动到下一行" },
  above: { en: "As in the row above", zh: "复制上一行" },
  fillDown: { en: "Fill down to the last row", zh: "向下填充至末行" },

  importing: { en: "Import", zh: "导入" },
  nextFault: { en: "Next fault", zh: "下一个问题" },
  previousFault: { en: "Previous fault", zh: "上一个问题" },

  writing: { en: "Writing to equipment", zh: "写入设备" },
  execute: { en: "Executes; Enter does not", zh: "执行（Enter 不执行）" },
} as const satisfies Messages;
