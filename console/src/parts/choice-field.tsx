// A field of a form in which one of a few is chosen.

/** What a choice is called in the form's data, and what a person reads. */
export type Choices = readonly (readonly [value: string, words: string])[];

interface ChoiceFieldProps {
  readonly label: string;
  readonly name: string;
  readonly choices: Choices;
  /** What is chosen at first; without it the first. */
  readonly value?: string;
}

export function ChoiceField({ label, name, choices, value }: ChoiceFieldProps) {
  return (
    <label className="field">
      <span>{label}</span>
      <select name={name} defaultValue={value ?? choices[0]?.[0]}>
        {choices.map(([choice, words]) => (
          <option key={choice} value={choice}>
            {words}
          </option>
        ))}
      </select>
    </label>
  );
}
