import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { Button } from "antd";

const HOLD_MS = 1200;

interface HoldButtonProps {
  /** Held down for a while instead of clicked: on touch, and where the tag asks for it. */
  hold: boolean;
  label: string;
  disabled: boolean;
  busy: boolean;
  onAct: () => void;
}

/** The button that acts on equipment: not on Enter, and on touch only when it is held. */
export function HoldButton({ hold, label, disabled, busy, onAct }: HoldButtonProps) {
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  const [held, setHeld] = useState(false);
  const release = () => {
    if (timer.current !== null) clearTimeout(timer.current);
    timer.current = null;
    setHeld(false);
  };
  useEffect(() => release, []);
  const press = () => {
    if (!hold || disabled || busy || timer.current !== null) return;
    setHeld(true);
    timer.current = setTimeout(() => {
      release();
      onAct();
    }, HOLD_MS);
  };
  const keyDown = (event: KeyboardEvent) => {
    // Enter is what people press to get on; acting takes the space bar or a pointer.
    if (event.key === "Enter") event.preventDefault();
    if (event.key === " " && hold) {
      event.preventDefault();
      press();
    }
  };
  return (
    <Button
      type="primary"
      className="ms-write-execute"
      data-held={held}
      disabled={disabled}
      loading={busy}
      onClick={hold ? undefined : onAct}
      onPointerDown={press}
      onPointerUp={release}
      onPointerLeave={release}
      onContextMenu={(event) => event.preventDefault()}
      onKeyDown={keyDown}
      onKeyUp={release}
      onBlur={release}
    >
      {label}
    </Button>
  );
}
