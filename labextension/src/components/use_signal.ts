/**
 * How components follow models, and time.
 */
import { ISignal } from '@lumino/signaling';
import { useEffect, useReducer, useState } from 'react';

/** Draws the component anew whenever a signal is emitted. */
export function useSignal(signal: ISignal<unknown, unknown> | null): void {
  const [, draw] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    if (signal === null) {
      return;
    }
    const slot = () => draw();
    signal.connect(slot);
    slot(); // what was emitted between drawing and now
    return () => {
      signal.disconnect(slot);
    };
  }, [signal]);
}

/** The time, every second while it matters and the page is seen. */
export function useNow(ticking: boolean): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!ticking) {
      return;
    }
    const timer = setInterval(() => document.hidden || setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [ticking]);
  return ticking ? now : Date.now();
}
