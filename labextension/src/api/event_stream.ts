/**
 * Server-sent events out of the body of an ordinary request: a browser's own EventSource cannot send Jupyter's token.
 */

export interface IEvent {
  name: string;
  data: string;
}

/** Takes text in pieces of any size, and gives the events that are whole. */
export class EventSplitter {
  private _rest = '';

  push(piece: string): IEvent[] {
    const blocks = (this._rest + piece).split('\n\n');
    this._rest = blocks.pop() ?? '';
    return blocks.map(parseBlock).filter(event => event.data !== '');
  }
}

function parseBlock(block: string): IEvent {
  const event = { name: 'message', data: '' };
  for (const line of block.split('\n')) {
    if (line.startsWith('event: ')) {
      event.name = line.slice(7);
    } else if (line.startsWith('data: ')) {
      event.data += line.slice(6);
    }
  }
  return event;
}

/**
 * The events of a body as they come.
 *
 * A proxy that holds a stream back would have a log stand still for ever: after `silenceMs` without a byte this throws,
 * and the caller asks for slices instead.
 */
export async function* readEvents(body: ReadableStream<Uint8Array>, silenceMs: number): AsyncGenerator<IEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const splitter = new EventSplitter();
  try {
    for (;;) {
      const { done, value } = await inTime(reader.read(), silenceMs);
      if (done) {
        return;
      }
      for (const event of splitter.push(decoder.decode(value, { stream: true }))) {
        yield event;
      }
    }
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}

async function inTime<T>(promise: Promise<T>, limitMs: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('The log stream is silent.')), limitMs);
  });
  try {
    return await Promise.race([promise, silence]);
  } finally {
    clearTimeout(timer);
  }
}
