package account

import "testing"

// BenchmarkCheck is what one password costs that is not remembered.
func BenchmarkCheck(b *testing.B) {
	h := newHasher(maxHashing, maxHashQueue)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.derive(b.Context(), "secret", make([]byte, saltLen), DefaultParams); err != nil {
			b.Fatal(err)
		}
	}
}
