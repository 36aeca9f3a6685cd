
/** An activation of your own. */
export interface Activation {
  /** Letters, digits and underscores; none that chains know already, except one that was defined before, which is replaced. */
  name: string;
  /** The parameters in order, each with its default. */
  parameters?: Record<string, number>;
  /** WGSL: `fn act_<name>(x: f32, <parameter>: f32, ...) -> f32` and its derivative `act_<name>_dx`, of the same arguments; for a
      parameter that is to be learned also `act_<name>_d_<parameter>`. What else it declares has names that begin with
      `<name>_`. A line `//#use math/exp.wgsl` brings in a file of the library's shaders. */
  wgsl: string;
  /** The value and the derivative for `reference` and `compare`; without them these throw. A chain that learns a parameter has no
      reference of that gradient. */
  y?: (x: number, ...parameters: number[]) => number;
  dx?: (x: number, ...parameters: number[]) => number;
  /** The error allowed to the value and the derivative, in units in the last place: 4 if not given. */
  budget?: number;
}

/** Makes an activation known to every chain that this module reads from now on, and gives it as a chain. */
export function define(activation: Activation): Parsed;
