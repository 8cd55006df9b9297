package command_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"warren/bridge"
)

var update = flag.Bool("update", false, "write the replies into testdata instead of comparing them")

// TestScripts runs the conversations of testdata. A line "alice #lobby> !look" is said in a room, "alice> look" in private to the bot, with
// \n for a line break; the indented lines below it are the reply, "!" marks one that failed. "alice joins #lobby" takes a seat.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { runScript(t, f) })
		})
	}
}

func runScript(t *testing.T, file string) {
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.finder.found = []bridge.Found{
		{Room: "#physics", Kind: "document", Name: "plan", Owner: "alice", Tags: []string{"draft", "physics"}},
		{Room: "#lobby", Kind: "room", Name: "lobby", Tags: []string{"physics"}},
		{Room: "#lobby", Kind: "exit", Name: "to the lab", Tags: []string{"physics"}},
	}
	var got bytes.Buffer
	for line := range strings.Lines(string(want)) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "  ") || strings.HasPrefix(line, "! ") {
			continue
		}
		fmt.Fprintln(&got, line)
		if who, room, ok := strings.Cut(line, " joins #"); ok {
			w.join(who, room)
			continue
		}
		head, said, ok := strings.Cut(line, "> ")
		if !ok || strings.HasPrefix(line, "--") {
			continue
		}
		who, room, _ := strings.Cut(head, " #")
		said = strings.ReplaceAll(said, `\n`, "\n")
		if room != "" && !w.people[who].tree.Is(said) {
			fmt.Fprintln(&got, "  (talk)")
			continue
		}
		r := w.run(who, room, said)
		if _, err := json.Marshal(r.Data); err != nil || r.Data == nil && !r.Failed {
			t.Errorf("%s: data %v: %v", line, r.Data, err)
		}
		mark := "  "
		if r.Failed {
			mark = "! "
		}
		for _, l := range r.Lines {
			fmt.Fprintln(&got, strings.TrimRight(mark+l, " "))
		}
		p := w.people[who]
		p.mu.Lock()
		for _, g := range p.went {
			fmt.Fprintln(&got, "  (led to #"+g+")")
		}
		p.went = nil
		p.mu.Unlock()
		synctest.Wait()
	}
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got.String() != string(want) {
		t.Errorf("%s differs; go test -run Scripts -update writes it anew\ngot:\n%s", file, got.String())
	}
}
