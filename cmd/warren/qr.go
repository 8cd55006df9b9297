package main

import (
	"fmt"
	"io"

	"rsc.io/qr"
)

// quiet is the empty margin around a code, in modules (ISO/IEC 18004 wants 4; scanners of screens are content with 2).
const quiet = 2

// printQR draws text as a QR code for a terminal with light letters on dark ground: two modules a character, by half blocks.
func printQR(w io.Writer, text string) error {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return fmt.Errorf("draw the QR code: %w", err)
	}
	light := func(x, y int) bool { return x < 0 || y < 0 || x >= code.Size || y >= code.Size || !code.Black(x, y) }
	for y := -quiet; y < code.Size+quiet; y += 2 {
		line := []rune{}
		for x := -quiet; x < code.Size+quiet; x++ {
			switch up, down := light(x, y), light(x, y+1); {
			case up && down:
				line = append(line, '█')
			case up:
				line = append(line, '▀')
			case down:
				line = append(line, '▄')
			default:
				line = append(line, ' ')
			}
		}
		if _, err := fmt.Fprintln(w, string(line)); err != nil {
			return err
		}
	}
	return nil
}
