// A value that tells its watchers when it changes; `useStore` lets a component be one.
import { useSyncExternalStore } from 'react';

export class Store<T> {
  private readonly watchers = new Set<() => void>();

  constructor(private value: T) {}

  readonly get = (): T => this.value;

  readonly watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  protected set(value: T): void {
    this.value = value;
    this.watchers.forEach((watcher) => watcher());
  }
}

export function useStore<T>(store: Store<T>): T {
  return useSyncExternalStore(store.watch, store.get);
}
