export {
  compare, functions, layerRecipe, list, parse, recipe, reference,
  type Arrays, type Binding, type Compared, type Dispatch, type DType, type Elements, type List, type OperandOptions,
  type Options, type Parsed, type PassName, type Recipe, type Results,
} from "./pkg/nonlin.js";
