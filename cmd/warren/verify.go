package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"warren/rooms"
	"warren/rooms/archive"
)

// verify checks a room's archive. It needs no data directory and no network.
func verify(c *call) error {
	network := c.flags.String("network", "", "the `ID` that the file's network must have, as warren status --json shows it")
	if err := c.parse(); err != nil {
		return err
	}
	if len(c.args) != 1 {
		return usageError("say: warren verify FILE")
	}
	var want rooms.Hash
	if *network != "" {
		var err error
		if want, err = rooms.ParseHash(*network); err != nil {
			return usageError("--network: " + err.Error())
		}
		if want.IsZero() {
			return usageError("--network: no network has this id")
		}
	}
	path := c.args[0]
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	rep, err := c.verifyFile(f, want)
	if err != nil {
		return fmt.Errorf("%s proves nothing: %w", path, err)
	}
	if *c.json {
		return printJSON(c, reportInfo(rep))
	}
	c.printReport(path, rep, !want.IsZero())
	return nil
}

// verifyFile checks a file from where it stands to its end, and shows on a terminal how far it is.
func (c *call) verifyFile(f *os.File, want rooms.Hash) (*archive.Report, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	bar := newProgress(c.err, "verify", st.Size())
	defer bar.end()
	return archive.Verify(io.TeeReader(bufio.NewReaderSize(f, 1<<20), bar), want)
}

type verifyInfo struct {
	Network     string   `json:"network"` // id
	NetworkName string   `json:"networkName"`
	Room        string   `json:"room"` // id
	Name        string   `json:"name"`
	From        uint64   `json:"from"` // lowest height in the file
	Base        uint64   `json:"base"` // height from whose state on the log was run; 0: from the founding
	Height      uint64   `json:"height"`
	Epoch       uint64   `json:"epoch"`
	Head        string   `json:"head"`
	Directory   uint64   `json:"directory"`
	Events      uint64   `json:"events"`
	Refused     uint64   `json:"refused"`
	Signatures  uint64   `json:"signatures"`
	Changes     uint64   `json:"changes"` // of controllers
	Rights      uint64   `json:"rights"`  // changes of them
	Ticks       uint64   `json:"ticks"`   // of which only the headers are there
	Digests     uint64   `json:"digests"`
	Founded     int64    `json:"founded"` // ms
	Time        int64    `json:"time"`    // ms
	Controllers []string `json:"controllers"`
	Closed      bool     `json:"closed"`

	Beginnings []beginningInfo `json:"beginnings"` // of epochs after the first one
}

type beginningInfo struct {
	Height uint64 `json:"height"`
	Epoch  uint64 `json:"epoch"`
	By     string `json:"by,omitempty"` // who recovered the room; none: its controllers began anew by themselves
	Silent uint32 `json:"silent"`       // controllers that gave no statement
	Of     uint32 `json:"of"`
}

func reportInfo(r *archive.Report) verifyInfo {
	began := make([]beginningInfo, len(r.Beginnings))
	for i, b := range r.Beginnings {
		began[i] = beginningInfo(b)
	}
	return verifyInfo{
		Beginnings: began, Ticks: r.Ticks,
		Network: r.Network.String(), NetworkName: r.Genesis.Name, Room: r.Room.String(), Name: r.Name, From: r.From, Base: r.Base, Height: r.Height, Epoch: r.Epoch, Head: r.Head.String(),
		Directory: r.Directory, Events: r.Events, Refused: r.Refused, Signatures: r.Signatures, Changes: r.Changes, Rights: r.Rights, Digests: r.Digests,
		Founded: r.Founded, Time: r.Time, Controllers: texts(r.Controllers), Closed: r.Closed,
	}
}

// printReport says plainly what the file proves, and what it does not.
func (c *call) printReport(path string, r *archive.Report, sure bool) {
	var list []string
	for _, n := range r.Controllers {
		list = append(list, n.Short())
	}
	end := ""
	if r.Closed {
		end = "; it was closed"
	}
	ticks := ""
	if r.Ticks > 0 {
		ticks = fmt.Sprintf(", but for %d ticks, which the ones above name that it signed", r.Ticks)
	}
	fmt.Fprintf(c.out, `%s: #%s of network %q, sound
  network      %s
  room         %s
  founded      %s
  last         height %d, epoch %d, %s%s
  header       %s
  controllers  %s

`, path, r.Name, r.Genesis.Name, r.Network, r.Room, when(r.Founded), r.Height, r.Epoch, when(r.Time), end, r.Head, strings.Join(list, " "))
	if r.Base == 0 {
		fmt.Fprintf(c.out, `It proves:
- This is a history of #%s in this network, from its founding to height %d, without a gap.
- A quorum of the controllers in force signed each of its %d decisions (%d signatures; %d changes of controllers)%s, and each of the %d of the directory.
- Each of its %d events was asked for by a key that the directory let speak for its author then. %d requests were refused, and changed nothing.
- Who had which right when (%d changes), and the state at the end: worked out anew here, it is the one in the file, and the one in the %d digests that were signed.

It does not prove:
`, r.Name, r.Height, r.Height, r.Signatures, r.Changes, ticks, r.Directory, r.Events, r.Refused, r.Rights, r.Digests)
	} else {
		fmt.Fprintf(c.out, `The room keeps its log for some time only. It proves:
- This is a history of #%s in this network, from height %d to height %d, without a gap.
- A quorum of the controllers signed each of its decisions (%d signatures; %d changes of controllers)%s, and each of the %d of the directory.
- What was asked for in it was asked for by keys that the directory let speak for their authors then. %d requests were refused.
- The state at height %d is the one that the controllers signed. From there on who had which right, and the state at the end, are worked out anew here:
  it is the one in the file.

It does not prove:
- What was before height %d: it is not in the file. %d events had happened in the room until its end.
- That what was asked for from height %d to %d was rightly granted or refused: for that there are only the controllers' signatures.
`, r.Name, r.From, r.Height, r.Signatures, r.Changes, ticks, r.Directory, r.Refused, r.Base, r.From, r.Events, r.From, r.Base)
	}
	for _, b := range r.Beginnings {
		if b.By != "" {
			fmt.Fprintf(c.out, "- What was ordered last before height %d: there %s recovered the room (epoch %d), and %d of its %d controllers did not answer. What they alone held is lost.\n",
				b.Height, b.By, b.Epoch, b.Silent, b.Of)
		}
	}
	fmt.Fprintf(c.out, "- That this is all: nobody outside can tell whether there is more after height %d.\n", r.Height)
	if !sure {
		fmt.Fprintln(c.out, "- That the network is the one you mean: compare its id with one that you have from elsewhere, or give it by --network.")
	}
	fmt.Fprintln(c.out, `- That there is no second history: more traitors among the controllers than the room bears could sign two. Two such files prove that they did.
- That the times are right: they are the leading controllers' clocks. Nor who the people behind names and keys are.`)
}

func when(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05 UTC") }
