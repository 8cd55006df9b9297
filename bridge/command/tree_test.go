package command_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"warren/bridge/command"
	"warren/rooms"
)

// Every command of the tree is in !help, has a usage, a line of help, and is recognised.
func TestEveryCommandIsExplained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		tree := w.people["alice"].tree
		help := w.run("alice", "", "help")
		all := tree.List()
		if len(all) < 20 {
			t.Fatalf("only %d commands", len(all))
		}
		for _, c := range all {
			if c.Usage == "" || c.Help == "" || !strings.HasPrefix(c.Usage, "!"+c.Name) {
				t.Errorf("%+v is not explained", c)
			}
			if !tree.Is("!"+c.Name) || !tree.Is(strings.ToUpper(c.Usage)) || tree.Is(c.Usage[1:]) {
				t.Errorf("%s is not told from talk", c.Name)
			}
			word, sub, _ := strings.Cut(c.Name, " ")
			found := false
			for _, l := range help.Lines {
				found = found || strings.HasPrefix(l, "!"+word+" ") && strings.Contains(l, strings.TrimSpace(sub+" "+c.Args))
			}
			if !found {
				t.Errorf("%s is not in the help:\n%s", c.Usage, strings.Join(help.Lines, "\n"))
			}
			one := w.run("alice", "", "help "+c.Name)
			if one.Failed || !strings.HasPrefix(one.Lines[0], c.Usage+" - ") {
				t.Errorf("help %s: %q", c.Name, one.Lines)
			}
		}
	})
}

// Who uses a command wrongly gets its usage line.
func TestWrongUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.join("alice", "lobby")
		for _, c := range w.people["alice"].tree.List() {
			line := "!" + c.Name + strings.Repeat(" x", 50)
			if strings.Contains(c.Args, "TEXT") || strings.Contains(c.Args, "EXPR") {
				line = "!" + c.Name // the rest of a line may hold anything, but not nothing
			}
			r := w.run("alice", "lobby", line)
			if last := r.Lines[len(r.Lines)-1]; !r.Failed || last != "usage: "+c.Usage {
				t.Errorf("%s: %q", line, r.Lines)
			}
		}
	})
}

// A long document is shown in pages, nothing of which is lost, whatever its lines are like.
func TestPagesHoldEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.join("alice", "lobby")
		texts := []string{
			strings.Repeat("a line of text\n", 100) + "end", strings.Repeat("word ", 3000) + "end", strings.Repeat("ü", 5000) + "end",
			"a\n\n\n\nb" + strings.Repeat("\n", 60) + "end", strings.Repeat("x", rooms.MaxDocument-3) + "end",
		}
		for i, text := range texts {
			name := fmt.Sprintf("doc%d", i)
			if r := w.run("alice", "lobby", "!doc put "+name+" "+text); r.Failed {
				t.Fatalf("%d: %q", i, r.Lines)
			}
			var got strings.Builder
			for page, pages := 1, 1; page <= pages; page++ {
				r := w.run("alice", "lobby", fmt.Sprintf("!doc show %s %d", name, page))
				d, ok := r.Data.(command.DocInfo)
				if !ok || d.Page != page {
					t.Fatalf("%d: page %d: %+v %q", i, page, d, r.Lines)
				}
				pages = d.Pages
				size := 0
				for _, l := range r.Lines {
					size += len(l)
				}
				if size > 2300 || len(r.Lines) > 22 {
					t.Errorf("%d: page %d has %d bytes in %d lines", i, page, size, len(r.Lines))
				}
				last := r.Lines[len(r.Lines)-1]
				if page < pages != strings.Contains(last, fmt.Sprintf("%d bytes remain: !doc show %s %d)", d.Remain, name, page+1)) {
					t.Errorf("%d: page %d of %d ends with %q", i, page, pages, last)
				}
				got.WriteString(strings.ReplaceAll(d.Text, "\n", ""))
			}
			if got.String() != strings.ReplaceAll(text, "\n", "") {
				t.Errorf("%d: the pages do not hold the text", i)
			}
		}
		if r := w.run("alice", "lobby", "!doc put big "+strings.Repeat("x", rooms.MaxDocument+1)); !r.Failed {
			t.Errorf("a document of more than 64 KiB was taken: %q", r.Lines)
		}
		if r := w.run("alice", "lobby", "!doc put big "+strings.Repeat("x", command.MaxLine)); !r.Failed {
			t.Errorf("too long a line was taken: %q", r.Lines)
		}
	})
}

// What has the name of something long, or many, stays a short reply.
func TestRepliesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.join("alice", "lobby")
		for i := range 100 {
			if r := w.run("alice", "lobby", fmt.Sprintf(`!doc put "document number %03d %s" text`, i, strings.Repeat("x", 30))); r.Failed {
				t.Fatal(r.Lines)
			}
		}
		if err := w.people["alice"].Seat("lobby").Wait(context.Background(), &rooms.Subject{Text: "a\nb\x02c\u2028d"}, nil); err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{"!look", "!doc list", "!doc list 5", "!doc list 99", "!tags", "!room info"} {
			r := w.run("alice", "lobby", line)
			checkReply(t, line, r.Lines)
		}
		r := w.run("alice", "lobby", "!doc list 2")
		if last := r.Lines[len(r.Lines)-1]; last != "(page 2 of 5, 60 more: !doc list 3)" {
			t.Errorf("last line: %q", last)
		}
	})
}

func checkReply(t *testing.T, line string, lines []string) {
	t.Helper()
	size := 0
	for _, l := range lines {
		size += len(l)
		if strings.ContainsFunc(l, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }) || !utf8.ValidString(l) || len(l) > 2048 {
			t.Errorf("%.80q: bad line %q", line, l)
		}
	}
	if len(lines) == 0 || len(lines) > 40 || size > 16<<10 {
		t.Errorf("%.80q: %d lines, %d bytes", line, len(lines), size)
	}
}

// A search that fails says so in words.
func TestFindFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.finder.err = context.DeadlineExceeded
		if r := w.run("alice", "", "find x"); !r.Failed || r.Lines[0] != "the search went wrong: no answer in time" {
			t.Errorf("%q", r.Lines)
		}
		w.finder.err = errors.New("find: no peers")
		if r := w.run("alice", "", "find x"); !r.Failed || r.Lines[0] != "the search went wrong: find: no peers" {
			t.Errorf("%q", r.Lines)
		}
	})
}

// A room that cannot order says so, and that it is not known what became of the change.
func TestNoAnswerInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		seat := w.join("alice", "lobby")
		hold := make(chan struct{})
		stop := seat.Room().Watch(func(*rooms.Event, any) { <-hold })
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		r := w.people["alice"].tree.Run(ctx, w.people["alice"].Session, seat, "!doc put plan text")
		if !r.Failed || !strings.HasPrefix(r.Lines[0], "no answer in time: it may still happen") {
			t.Errorf("%q", r.Lines)
		}
		close(hold)
		stop()
	})
}

func FuzzRun(f *testing.F) {
	for _, s := range []string{
		"!help", "!look", "!who 2", "!doc put plan text", `!doc put "a \"b\" \\c" text`, "!doc show plan 2", "!doc edit plan\nx\ny", "!doc rm plan",
		"!exit add lab #lab", "!go lab", "!tag add room a b", "!tag rm room a", "!tags", "!find a (b OR -c)", "!why", "!room grant bob write",
		"!room deny * read plan", "!room forget + all", "!!", "! ", "#lobby doc list", "“a” „b“", "\x00", "\xff", "!tag add document:x y",
	} {
		f.Add(s, true)
		f.Add(s, false)
	}
	w := newWorld(f)
	w.join("alice", "lobby")
	f.Fuzz(func(t *testing.T, line string, private bool) {
		room := "lobby"
		if private {
			room = ""
		}
		w.people["alice"].tree.Is(line)
		w.t = t
		r := w.run("alice", room, line)
		checkReply(t, line, r.Lines)
	})
}

func TestWhatChangesNothingIsNotOrdered(t *testing.T) {
	w := newWorld(t)
	seat := w.join("alice", "lobby")
	w.run("alice", "lobby", "!tag add room physics")
	for _, line := range []string{"!tag rm room absent", "!tag add room physics"} {
		before := seat.Room().Status().Height
		if r := w.run("alice", "lobby", line); r.Failed || r.Lines[0] != "tags of the room: physics" {
			t.Errorf("%s: %v", line, r.Lines)
		}
		if after := seat.Room().Status().Height; after != before {
			t.Errorf("%s: ordered", line)
		}
	}
}
