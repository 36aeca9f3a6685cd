// The operands of a chain, @name: whose values they are where nobody says, and what the page fills them with.

/** "element" for what a gate or a residual takes, "one" for a parameter. */
export function kindOf(text, name) {
  return new RegExp(`\\b(gate|residual|sigmoid_gate)\\(\\s*@${name}\\b`).test(text) ? "element" : "one";
}

/** The default of the parameter that an operand stands for; elsewhere 1, and of a bias 0. */
export function initial(text, name, activations) {
  if (new RegExp(`\\bbias\\(@${name}\\b|\\bbias=@${name}\\b`).test(text)) return 0;
  const [, step, parameter] = new RegExp(`(\\w+)\\((?:[^()]*,)?\\s*(\\w+)\\s*=\\s*@${name}\\b`).exec(text) ?? [];
  const known = activations.find((activation) => activation.name === step);
  return known?.parameters.find((one) => one.name === parameter)?.default ?? 1;
}

/** The options and the arrays that a chain's operands need, for x of a shape; value(name) fills them. */
export function operandsFor({ text, operands }, shape, value) {
  const count = shape.reduce((all, length) => all * length, 1);
  const options = {};
  const arrays = {};
  for (const name of operands) {
    const length = kindOf(text, name) === "element" ? count : 1;
    options[name] = { length };
    arrays[name] = new Float32Array(length).map((_, index) => value(name, index));
  }
  return { options, arrays };
}
