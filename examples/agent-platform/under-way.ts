// The messages that a thread of the service is answering, and the errors of those that failed.
export class UnderWay {
  readonly #most: number;
  readonly #messages = new Set<Promise<void>>();
  #errors: string[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  get hasRoom(): boolean {
    return this.#messages.size < this.#most;
  }

  add(answer: Promise<unknown>): void {
    const one = answer.then(
      () => void this.#messages.delete(one),
      (error: unknown) => {
        this.#messages.delete(one);
        this.#errors.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
      },
    );
    this.#messages.add(one);
  }

  /** Resolves when those of now have ended. */
  async ended(): Promise<void> {
    await Promise.all(this.#messages);
  }

  /** The errors since the last call. */
  takeErrors(): string[] {
    const errors = this.#errors;
    this.#errors = [];
    return errors;
  }
}
