package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// progressEvery is the time between two looks of a person at how far something is.
const progressEvery = 200 * time.Millisecond

// progress counts the bytes that are written to it, and shows on a terminal how many they are. For anything else than a terminal it only counts.
type progress struct {
	w     io.Writer // nil: nobody looks
	what  string
	done  int64
	total int64 // 0: not known
	shown time.Time
}

func newProgress(w io.Writer, what string, total int64) *progress {
	p := &progress{what: what, total: total}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.w = w
	}
	return p
}

// Write implements io.Writer. It never fails.
func (p *progress) Write(b []byte) (int, error) {
	p.done += int64(len(b))
	if p.w == nil || time.Since(p.shown) < progressEvery {
		return len(b), nil
	}
	p.shown = time.Now()
	if p.total > 0 {
		fmt.Fprintf(p.w, "\r%s: %3d %% of %s\x1b[K", p.what, 100*p.done/p.total, sizeOf(p.total))
	} else {
		fmt.Fprintf(p.w, "\r%s: %s\x1b[K", p.what, sizeOf(p.done))
	}
	return len(b), nil
}

// end clears the line.
func (p *progress) end() {
	if p.w != nil && !p.shown.IsZero() {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// sizeOf returns a number of bytes for people.
func sizeOf(n int64) string {
	unit, f := 0, float64(n)
	for units := len("BKMGT"); f >= 1024 && unit < units-1; unit++ {
		f /= 1024
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %ciB", f, "BKMGT"[unit])
}
