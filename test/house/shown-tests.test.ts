// The test file that docs/guides/testing.md shows, run as it stands: an import declares its tests.
import "../../examples/guides/testing-vitest.js";
