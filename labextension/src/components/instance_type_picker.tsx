import { TranslationBundle } from '@jupyterlab/translation';
import React, { useId, useMemo, useState } from 'react';

import { findTypes } from '../model/instance_types';
import { formatUsd } from '../model/format';
import { IInstanceType } from '../tokens';

interface IProps {
  id: string;
  value: string;
  describedBy: string;
  /** Whether the value is refused. */
  invalid: boolean;
  types: readonly IInstanceType[];
  trans: TranslationBundle;
  onChange: (name: string) => void;
}

/** A text field with a list below it that is searched while one types: `g5`, `64 gib`, `8 vcpu`. */
export function InstanceTypePicker({ id, value, describedBy, invalid, types, trans, onChange }: IProps): JSX.Element {
  const listId = useId();
  const [text, setText] = useState<string | null>(null);
  const [at, setAt] = useState(0);
  const open = text !== null;
  const found = useMemo(() => (open ? findTypes(types, text === value ? '' : text) : []), [open, types, text, value]);
  const close = () => setText(null);
  const choose = (name: string) => {
    close();
    if (name !== value) {
      onChange(name);
    }
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      if (!open) {
        setText(value);
      }
      setAt(Math.max(0, Math.min(found.length - 1, at + (event.key === 'ArrowDown' ? 1 : -1))));
    } else if (event.key === 'Enter' && open) {
      choose(found[at]?.name ?? text);
    } else if (event.key === 'Escape' && open) {
      event.stopPropagation();
      close();
    }
  };
  return (
    <div className="sm-Picker">
      <input
        id={id}
        className="jp-mod-styled"
        role="combobox"
        aria-expanded={open}
        aria-controls={listId}
        aria-autocomplete="list"
        aria-describedby={describedBy}
        aria-invalid={invalid}
        aria-activedescendant={open && found[at] ? `${listId}-${at}` : undefined}
        spellCheck={false}
        value={text ?? value}
        placeholder={trans.__('Search: g5, 64 GiB, 8 vCPU')}
        onFocus={event => event.target.select()}
        onClick={() => open || setText(value)}
        onChange={event => {
          setText(event.target.value);
          setAt(0);
        }}
        onKeyDown={onKeyDown}
        onBlur={() => (open && text !== value && text !== '' ? choose(text) : close())}
      />
      <ul id={listId} role="listbox" hidden={!open || found.length === 0} aria-label={trans.__('Instance types')}>
        {found.map((type, index) => (
          <li
            key={type.name}
            id={`${listId}-${index}`}
            role="option"
            aria-selected={index === at}
            // Before the field loses its focus, which would close the list.
            onMouseDown={event => {
              event.preventDefault();
              choose(type.name);
            }}
          >
            <span>{type.name}</span>
            <span className="sm-Facts">{describeType(type, trans)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** `4 vCPU · 16 GiB · 1 × NVIDIA A10G · $1.41/h`. */
export function describeType(type: IInstanceType, trans: TranslationBundle): string {
  const unknown = trans.__('unknown');
  const parts = [
    trans.__('%1 vCPU', type.vcpu ?? unknown),
    type.memoryGib === null ? trans.__('memory unknown') : trans.__('%1 GiB', type.memoryGib)
  ];
  if (type.accelerator !== null) {
    parts.push(`${type.acceleratorCount} × ${type.accelerator}`);
  }
  const price = type.priceUsdPerHour;
  parts.push(price === null ? trans.__('price unknown') : trans.__('%1/h', formatUsd(price)));
  return parts.join(' · ');
}
