export { PhraseBook, phrasesMax } from "./phrase-book.js";
export { PhraseBooks } from "./phrase-books.js";
export { PhraseLearning } from "./phrase-learning.js";
export * from "./shape-image.js";
export type { ShapeTable } from "./shape-table.js";
