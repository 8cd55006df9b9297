package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"

	"warren/test/sim/net"
)

// oneNet is the tier that a process is given which runs a single schedule of the tier net for another.
const oneNet = "net-one"

// nets runs schedules of whole nodes one after the other, each in a process of its own: virtual time makes a process of package testing's, which ends
// as that wants and says so; and what a schedule kills is itself alone. It returns how many failed, and prints one summary line last.
func nets(seed uint64, runs int, limit time.Duration, verbose bool) (failed int, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("find the own program, to run it for each schedule: %w", err)
	}
	start, n := time.Now(), 0
	for ; n < runs && (limit == 0 || time.Since(start) <= limit) && failed < maxFailures; n++ {
		args := []string{"-tier", oneNet, "-seed", strconv.FormatUint(seed+uint64(n), 10)}
		if verbose {
			args = append(args, "-v")
		}
		cmd := exec.Command(self, args...)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			return failed, fmt.Errorf("run schedule %d: %w", seed+uint64(n), err)
		}
		err = withoutVerdict(os.Stdout, out)
		if err = errors.Join(err, cmd.Wait()); err != nil {
			failed++
			fmt.Printf("FAIL seed %d: %v\n", seed+uint64(n), err)
		}
	}
	word := "ok"
	if failed > 0 {
		word = "FAILED"
	}
	fmt.Printf("sim net: %s: %d schedules from seed %d in %.1fs: %d failed\n", word, n, seed, time.Since(start).Seconds(), failed)
	return failed, nil
}

// withoutVerdict copies lines, but for the word with which package testing ends.
func withoutVerdict(to io.Writer, from io.Reader) error {
	r := bufio.NewReader(from)
	for {
		line, err := r.ReadBytes('\n')
		if word := bytes.TrimSpace(line); !bytes.Equal(word, []byte("PASS")) && !bytes.Equal(word, []byte("FAIL")) {
			if _, err := to.Write(line); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// netOne runs a schedule of the tier net, and ends the program.
func netOne(seed uint64, verbose bool) { net.Main(verbose, net.Drawn(seed)) }
