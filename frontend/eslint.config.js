import hooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

const colour = "/#[0-9a-fA-F]{3,8}\\b|\\brgba?\\(|\\bhsla?\\(/";

export default tseslint.config(
  ...tseslint.configs.recommended,
  {
    files: ["src/**/*.{ts,tsx}"],
    plugins: { "react-hooks": hooks },
    rules: {
      ...hooks.configs["recommended-latest"].rules,
      // The rules for the React compiler, which this build does not use: the live cells write outside React on purpose.
      "react-hooks/set-state-in-effect": "off",
      "react-hooks/refs": "off",
      "react-hooks/incompatible-library": "off",
      "max-lines": ["error", 500],
    },
  },
  {
    files: ["src/**/*.{ts,tsx}"],
    ignores: ["src/theme/**", "src/**/*.test.ts"],
    rules: {
      "no-restricted-syntax": [
        "error",
        { selector: `Literal[value=${colour}]`, message: "Colours come from theme/tokens.ts." },
        { selector: `TemplateElement[value.raw=${colour}]`, message: "Colours come from theme/tokens.ts." },
        {
          selector: "JSXOpeningElement[name.name='Tag'] > JSXAttribute[name.name='color']",
          message: "Use StateTag or AlarmSign: antd's preset colours are not ours.",
        },
      ],
    },
  },
);
