import { theme as antd, type ThemeConfig } from "antd";
import { fonts, type Mode, palettes, radius } from "./tokens";

/** antd's dark algorithm shifts the seeds it is given, so the exact colours are laid over its result. */
function algorithmOf(mode: Mode): NonNullable<ThemeConfig["algorithm"]> {
  const palette = palettes[mode];
  const exact = {
    colorPrimary: palette.accent,
    colorPrimaryHover: palette.accentHover,
    colorPrimaryActive: palette.accentHover,
    colorPrimaryBorder: palette.accent,
    colorPrimaryText: palette.accent,
    colorPrimaryTextHover: palette.accentHover,
    colorInfo: palette.accent,
    colorLink: palette.accent,
    colorLinkHover: palette.accentHover,
    colorError: palette.danger,
    colorErrorHover: palette.danger,
    colorErrorText: palette.danger,
    colorWarning: palette.caution,
    colorWarningText: palette.caution,
    colorSuccess: palette.done,
    colorSuccessText: palette.done,
    colorBgLayout: palette.layout,
    colorBgContainer: palette.container,
    colorBgElevated: palette.elevated,
    colorBgSpotlight: palette.tooltip,
    colorBorder: palette.controlBorder,
    colorBorderSecondary: palette.divider,
    colorText: palette.text,
    colorTextSecondary: palette.second,
    colorTextTertiary: palette.third,
    colorTextQuaternary: palette.third,
    // Results speak by text and icon, never by a fill.
    colorInfoBg: palette.elevated,
    colorInfoBorder: palette.border,
    colorErrorBg: palette.elevated,
    colorErrorBorder: palette.danger,
    colorWarningBg: palette.elevated,
    colorWarningBorder: palette.border,
    colorSuccessBg: palette.elevated,
    colorSuccessBorder: palette.border,
  };
  const own = mode === "dark" ? antd.darkAlgorithm : antd.defaultAlgorithm;
  return (seed, map) => ({ ...own(seed, map), ...exact });
}

function themeOf(mode: Mode): ThemeConfig {
  const palette = palettes[mode];
  return {
    algorithm: algorithmOf(mode),
    token: {
      fontFamily: fonts.text,
      fontFamilyCode: fonts.code,
      fontSize: 14,
      borderRadius: radius.control,
      borderRadiusSM: radius.tag,
      motion: false,
      wireframe: false,
      colorTextLabel: palette.second,
      colorTextDescription: palette.second,
      colorTextPlaceholder: palette.third,
      colorTextDisabled: palette.disabled,
      colorTextLightSolid: palette.inkOnAccent,
      colorIcon: palette.third,
      colorIconHover: palette.text,
      colorSplit: palette.divider,
      colorBgMask: palette.mask,
      controlItemBgActive: palette.selection,
      controlItemBgActiveHover: palette.selection,
      controlOutline: "transparent",
      boxShadow: palette.shadow,
      boxShadowSecondary: palette.shadow,
      boxShadowTertiary: "none",
    },
    components: {
      Layout: { bodyBg: palette.layout, headerBg: palette.head, siderBg: palette.head },
      Table: {
        headerBg: palette.head,
        rowSelectedBg: palette.selection,
        rowSelectedHoverBg: palette.selection,
        cellPaddingBlockSM: 3,
        cellPaddingInlineSM: 8,
        cellFontSizeSM: 13,
        borderRadius: radius.table,
        headerBorderRadius: radius.table,
      },
      Button: { primaryShadow: "none", defaultShadow: "none", dangerShadow: "none" },
      Tooltip: { colorTextLightSolid: palette.inkOnTooltip },
      Tabs: { horizontalMargin: "0" },
      ...(mode === "dark"
        ? {
            Checkbox: { colorWhite: palette.inkOnAccent },
            Radio: { colorWhite: palette.inkOnAccent },
            Switch: { handleBg: palette.inkOnAccent },
          }
        : {}),
    },
  };
}

/** One constant object per mode: antd recomputes its styles whenever the object changes. */
export const themes: Record<Mode, ThemeConfig> = { light: themeOf("light"), dark: themeOf("dark") };
