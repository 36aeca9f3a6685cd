export {
  compare, define, functions, layerCompare, layerParameters, layerRecipe,
  layerReference, list, parse, recipe, reference,
  type Activation,
  type Arrays, type Binding, type Compared, type Dispatch, type DType, type Elements, type LayerArrays, type LayerCompared,
  type LayerParameter, type LayerResults, type List, type OperandOptions, type Options, type Parsed, type PassName, type Recipe,
  type Results,
} from "./pkg/nonlin_custom.js";
