package store_test

import (
	"bufio"
	"encoding/binary"
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
			last, err := lastOf(s, w)
			for n := last + 1; err == nil; n++ {
				var b store.Batch
				b.Put(store.Raft, childKey(w, n), childValue(n))
				b.Put(store.Decisions, childKey(w, n), childValue(n))
				b.DeleteRange(store.Raft, childKey(w, 0), childKey(w, max(n, 50)-50))
				if err = s.Commit(&b); err == nil {
					out.Lock()
					_, err = fmt.Println(w, n)
					out.Unlock()
				}
			}
			die(err)
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
	for round := range 20 {
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
			checkKilled(t, dir, &acked, round)
		}
	}
	t.Logf("acknowledged: %d", acked)
}

// checkKilled checks what two children left: all that was acknowledged, and of
// each writer in each child at most one batch whose acknowledgement was not heard.
func checkKilled(t *testing.T, dir string, acked *[childWriters]uint64, round int) {
	t.Helper()
	start := time.Now()
	s, err := store.Open(dir, store.Options{})
	if err != nil {
		t.Fatalf("round %d: open: %v", round, err)
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("round %d: opening took %v", round, d)
	}
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
		if last < acked[w] || last > acked[w]+2 {
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
