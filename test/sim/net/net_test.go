package net

import (
	"flag"
	"testing"
)

var seed = flag.Uint64("seed", 1, "seed of the run")

func TestNet(t *testing.T) {
	c := Full(*seed)
	if raceDetector {
		c = Small(*seed)
	}
	t.Log(Run(t, c))
}
