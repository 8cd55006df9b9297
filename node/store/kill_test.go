package store_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"warren/node/store"
	"warren/node/store/storetest"
)

// childEnv names the directory in which a re-executed test binary commits
// until it is killed.
const childEnv = "WARREN_STORE_TEST_CHILD"

// childWriters commit at the same time, so that groups form.
const childWriters = 4

func childKey(writer int, n uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{byte(writer)}, n)
}

func childValue(n uint64) []byte { return []byte(strings.Repeat(strconv.FormatUint(n, 10)+" ", 30)) }

// kills is how often the crash tests kill a process, and take the power from a disk. CI has time for some dozens; by hand:
//
//	go test ./node/store -run 'TestKill|TestPowerFails' -kills 200 -v
var kills = flag.Int("kills", 40, "how often the crash tests kill a process, and take the power from a disk")

// writeOn commits for writer w, from its last batch on, until the store fails; acked is called after each commit.
func writeOn(s *store.Store, w int, acked func(n uint64) error) error {
	last, err := lastOf(s, w)
	for n := last + 1; err == nil; n++ {
		var b store.Batch
		b.Put(store.Raft, childKey(w, n), childValue(n))
		b.Put(store.Decisions, childKey(w, n), childValue(n))
		b.DeleteRange(store.Raft, childKey(w, 0), childKey(w, max(n, 50)-50))
		if err = s.Commit(&b); err == nil {
			err = acked(n)
		}
	}
	return err
}

// runChild does the child's work and never returns, if this is the child: each
// writer w goes on from its last batch, and prints "w n" when batch n is durable.
func runChild() {
	dir := os.Getenv(childEnv)
	if dir == "" {
		return
	}
	die := func(err error) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	s, err := store.Open(dir, store.Options{CheckpointBytes: 64 << 10, SegmentBytes: 32 << 10})
	if err != nil {
		die(err)
	}
	var out sync.Mutex
	fmt.Println("open")
	var wg sync.WaitGroup
	for w := range childWriters {
		wg.Go(func() {
			die(writeOn(s, w, func(n uint64) error {
				out.Lock()
				defer out.Unlock()
				_, err := fmt.Println(w, n)
				return err
			}))
		})
	}
	wg.Wait()
}

func lastOf(s *store.Store, w int) (uint64, error) {
	kvs, err := s.RangeReverse(store.Decisions, childKey(w, 0), childKey(w+1, 0), 1)
	if err != nil || len(kvs) == 0 {
		return 0, err
	}
	n, _ := store.KeyNumber(kvs[0].Key)
	return n, nil
}

// TestKill lets a real process commit and kills it with SIGKILL, again and
// again, on the same directory.
func TestKill(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(rand.Uint64(), 0))
	var acked [childWriters]uint64
	for round := range *kills {
		cmd := exec.Command(exe)
		cmd.Env = append(os.Environ(), childEnv+"="+dir)
		cmd.Stderr = os.Stderr
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(stdout)
		if line, err := r.ReadString('\n'); line != "open\n" {
			t.Fatalf("round %d: the child says %q, %v", round, line, err)
		}
		if round == 1 {
			if _, err := store.Open(dir, store.Options{}); err == nil {
				t.Error("a store is opened while another process has it")
			}
		}
		after := time.Duration(rng.IntN(120_000)) * time.Microsecond
		killer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		for {
			line, err := r.ReadString('\n')
			if err == io.EOF {
				break // a line without its end was not finished: no promise
			}
			var w int
			var n uint64
			if _, err := fmt.Sscan(line, &w, &n); err != nil || w < 0 || w >= childWriters || n <= acked[w] || n > acked[w]+2 {
				t.Fatalf("round %d: the child says %q, %v", round, line, err)
			}
			acked[w] = n
		}
		_ = cmd.Wait()
		killer.Stop()
		if round%2 == 1 { // after the others the next child finds what this one left
			s, err := store.Open(dir, store.Options{})
			if err != nil {
				t.Fatalf("round %d: open: %v", round, err)
			}
			checkKilled(t, s, &acked, 2, round)
		}
	}
	t.Logf("%d kills, acknowledged: %d", *kills, acked)
}

// checkKilled checks what that many lives left, and closes the store: all that was acknowledged, and of each writer in each life at most one batch
// whose acknowledgement was not heard.
func checkKilled(t *testing.T, s *store.Store, acked *[childWriters]uint64, lives uint64, round int) {
	t.Helper()
	defer func() {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}()
	for w := range childWriters {
		last, err := lastOf(s, w)
		if err != nil {
			t.Fatal(err)
		}
		if last < acked[w] || last > acked[w]+lives {
			t.Fatalf("round %d: writer %d: last batch is %d, acknowledged %d", round, w, last, acked[w])
		}
		acked[w] = last
		for bucket, from := range map[store.Bucket]uint64{store.Decisions: 1, store.Raft: max(last, 50) - 50} {
			kvs, err := s.Range(bucket, childKey(w, 0), childKey(w+1, 0), 0)
			if err != nil {
				t.Fatal(err)
			}
			from = max(from, 1)
			if uint64(len(kvs)) != last+1-from {
				t.Fatalf("round %d: writer %d: %d keys in %s up to %d", round, w, len(kvs), bucket, last)
			}
			for i, kv := range kvs {
				if n, _ := store.KeyNumber(kv.Key); n != from+uint64(i) || string(kv.Value) != string(childValue(n)) {
					t.Fatalf("round %d: writer %d: bad pair %d in %s", round, w, i, bucket)
				}
			}
		}
	}
}

// TestPowerFails takes the power from a disk that forgets what was not synced, again and again, at random moments while several committers are at
// work, and sometimes once more while the store comes back from that.
func TestPowerFails(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var acked [childWriters]uint64
	o := openers()["disk"](t)
	opts := store.Options{CheckpointBytes: 16 << 10, SegmentBytes: 8 << 10}
	for round := range *kills {
		s, err := o.Open(opts)
		if err != nil {
			t.Fatalf("round %d: open: %v", round, err)
		}
		o.Disk.CrashDuring(1+rng.IntN(150), keeping(rng))
		var wg sync.WaitGroup
		for w := range childWriters {
			wg.Go(func() {
				if err := writeOn(s, w, func(n uint64) error { acked[w] = n; return nil }); !errors.Is(err, storetest.ErrCrashed) {
					t.Errorf("round %d: writer %d: %v", round, w, err)
				}
			})
		}
		wg.Wait()
		_ = s.Close() // it says that it crashed
		if rng.IntN(2) == 0 {
			o.Disk.CrashDuring(1+rng.IntN(6), keeping(rng))
			if s, err := o.Open(opts); err == nil {
				_ = s.Close()
			} else if !errors.Is(err, storetest.ErrCrashed) {
				t.Fatalf("round %d: open after the crash: %v", round, err)
			}
			o.Disk.Crash(keeping(rng))
		}
		s, err = o.Open(opts)
		if err != nil {
			t.Fatalf("round %d: open: %v", round, err)
		}
		checkKilled(t, s, &acked, 1, round)
	}
	t.Logf("%d losses of power, acknowledged: %d", *kills, acked)
}

// keeping says what a crash keeps of what was not synced: nothing, or some of it.
func keeping(rng *rand.Rand) *rand.Rand {
	if rng.IntN(2) == 0 {
		return nil
	}
	return rng
}
