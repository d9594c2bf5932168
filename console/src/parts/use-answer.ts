import { useCallback, useEffect, useState } from "react";

interface Answer<T> {
  readonly value?: T;
  readonly problem?: unknown;
  readonly isLoading: boolean;
  /** Asks again; what is known stays until the new answer is there. */
  readonly again: () => void;
}

/** The answer to a question of a component's, asked again when `key` changes. */
export function useAnswer<T>(key: string, ask: () => Promise<T>): Answer<T> {
  const [state, setState] = useState<{ key: string; value?: T; problem?: unknown; isLoading: boolean }>({ key, isLoading: true });
  const [count, setCount] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for what the question is made of
  useEffect(() => {
    let isWanted = true;
    setState((before) => (before.key === key ? { ...before, isLoading: true } : { key, isLoading: true }));
    ask().then(
      (value) => isWanted && setState({ key, value, isLoading: false }),
      (problem: unknown) => isWanted && setState((before) => ({ ...before, problem, isLoading: false })),
    );
    return () => {
      isWanted = false;
    };
  }, [key, count]);
  const again = useCallback(() => setCount((before) => before + 1), []);
  const current = state.key === key ? state : { isLoading: true };
  return { ...current, again } as Answer<T>;
}
