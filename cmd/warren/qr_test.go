package main

import (
	"strings"
	"testing"

	"rsc.io/qr"
)

func TestTheDrawnCodeIsTheCode(t *testing.T) {
	const text = "warren:some-invitation"
	var b strings.Builder
	if err := printQR(&b, text); err != nil {
		t.Fatal(err)
	}
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	for y := range code.Size {
		row := []rune(lines[(y+quiet)/2])
		for x := range code.Size {
			c, top := row[x+quiet], (y+quiet)%2 == 0
			light := c == '█' || c == '▀' && top || c == '▄' && !top
			if light == code.Black(x, y) {
				t.Fatalf("module %d,%d is drawn wrong", x, y)
			}
		}
	}
}
