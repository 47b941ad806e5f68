/**
 * Finding instance types by words: parts of the name, or sizes such as `8 vcpu`, `64gib`, `gpu`. Pure.
 */
import { IInstanceType } from '../tokens';

const MOST = 60;

/** The types that fit every word, those that are known and cheap first. */
export function findTypes(types: readonly IInstanceType[], text: string): IInstanceType[] {
  const words = text
    .toLowerCase()
    .replace(/(\d)\s+(vcpu|gib|gb)/g, '$1$2')
    .split(/\s+/)
    .filter(Boolean);
  return types
    .filter(type => words.every(word => fits(type, word)))
    .sort(compare)
    .slice(0, MOST);
}

function fits(type: IInstanceType, word: string): boolean {
  const size = /^(\d+(?:\.\d+)?)(vcpu|gib|gb)$/.exec(word);
  if (size !== null) {
    return (size[2] === 'vcpu' ? type.vcpu : type.memoryGib) === Number(size[1]);
  }
  if (word === 'gpu' || word === 'gpus') {
    return type.accelerator !== null;
  }
  return type.name.toLowerCase().includes(word) || (type.accelerator ?? '').toLowerCase().includes(word);
}

function compare(one: IInstanceType, other: IInstanceType): number {
  const price = (type: IInstanceType) => type.priceUsdPerHour ?? Number.MAX_VALUE;
  return price(one) - price(other) || (one.name < other.name ? -1 : 1);
}
