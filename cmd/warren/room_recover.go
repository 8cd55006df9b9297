package main

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"warren/node"
	"warren/rooms"
	"warren/rooms/replica"
)

// recoverRequest asks the running node what a recovery would start from, or to do it.
type recoverRequest struct {
	Name     string // of the room; empty: the directory
	Account  string // who manages the room
	Password string
	Recovery string // seed of the recovery key in base64, for the directory
	Do       bool
}

// recoverInfo is the node's answer.
type recoverInfo struct {
	Height      uint64   `json:"height"` // of the highest certified state that this node could get
	Epoch       uint64   `json:"epoch"`
	Controllers int      `json:"controllers"`
	Silent      []string `json:"silent"` // names of those that do not answer
	Frozen      bool     `json:"frozen"` // only then can it be recovered
	Start       uint64   `json:"start,omitempty"`
	Carried     int      `json:"carried,omitempty"`
}

// recovery is what `warren room recover` is asked to do.
type recovery struct {
	name      string // of the room, without '#'; empty: the directory
	account   string // who manages the room
	keyFile   string // with the recovery key; empty: the one in the data directory
	yes       bool   // do not ask
	fromStdin bool   // the password comes from standard input
}

// recoverRoom says what may be lost, asks, and has the node do it.
func (c *call) recoverRoom(r recovery) error {
	req := recoverRequest{Name: r.name, Account: r.account}
	what := "#" + r.name
	switch {
	case r.name == "":
		what = "the directory"
		cfg, err := c.lived()
		if err != nil {
			return err
		}
		if r.keyFile == "" {
			r.keyFile = filepath.Join(string(cfg.Node.Data), "recovery.key")
		}
		text, err := os.ReadFile(r.keyFile)
		if err != nil {
			return fmt.Errorf("read the recovery key (it lies with the founding node, or where you put it: --key FILE): %w", err)
		}
		req.Recovery = strings.TrimSpace(string(text))
	case r.account == "":
		return usageError("say who manages the room: warren room recover NAME --account ACCOUNT")
	default:
		var err error
		if req.Password, err = c.password(r.fromStdin, "Password for "+r.account+": "); err != nil {
			return err
		}
	}
	var info recoverInfo
	if err := c.toNode(false, "POST", "/room/recover", req, &info); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if !info.Frozen {
		return fmt.Errorf("%s: %w", what, replica.ErrNotFrozen)
	}
	if !*c.json {
		fmt.Fprintf(c.out, "%s stands at height %d here, in epoch %d.\n%d of its %d controllers do not answer (%s).\n", what, info.Height, info.Epoch,
			len(info.Silent), info.Controllers, strings.Join(info.Silent, ", "))
		fmt.Fprintln(c.out, "What they ordered above that, and nobody else has, will be lost for ever, also if they come back. The break stays in the log.")
	}
	if !r.yes {
		fmt.Fprint(c.out, "Go on? Type yes: ")
		in, ok := c.in.(*bufio.Reader)
		if !ok {
			in = bufio.NewReader(c.in)
		}
		if line, _ := in.ReadString('\n'); strings.TrimSpace(line) != "yes" {
			return errors.New("nothing was done")
		}
	}
	req.Do = true
	if err := c.toNode(false, "POST", "/room/recover", req, &info); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if *c.json {
		return printJSON(c, info)
	}
	fmt.Fprintf(c.out, "%s goes on in epoch %d from height %d. %d of %d controllers gave no statement; %d decisions were carried over without a full certificate.\n",
		what, info.Epoch, info.Start, len(info.Silent), info.Controllers, info.Carried)
	return nil
}

// recoverAt serves a recoverRequest. A room needs the password of the account: who can enter the node's data directory is not yet who manages the room.
func recoverAt(ctx context.Context, n *node.Node, r recoverRequest) (recoverInfo, error) {
	h := n.Host()
	g := n.Genesis()
	id := g.Directory()
	var key ed25519.PrivateKey
	if r.Name == "" {
		seed, err := base64.StdEncoding.DecodeString(r.Recovery)
		if err != nil || len(seed) != ed25519.SeedSize {
			return recoverInfo{}, errors.New("the file holds no key")
		}
		key = ed25519.NewKeyFromSeed(seed)
	} else {
		known := false
		h.Directory(func(d *rooms.Directory) {
			var rec rooms.RoomRecord
			rec, known = d.RoomByName(r.Name)
			id = rec.ID
		})
		if !known {
			return recoverInfo{}, errors.New("the network has no such room")
		}
		if err := h.CanRecover(); err != nil { // before the password: logging in here may need the directory as well
			return recoverInfo{}, err
		}
		name, err := n.Accounts().Verify(ctx, r.Account, r.Password)
		if err != nil {
			return recoverInfo{}, err
		}
		r.Account = name
	}
	if !r.Do {
		s, err := h.Survey(ctx, id, r.Account)
		return recoverInfo{Height: s.Height, Epoch: s.Epoch, Controllers: len(s.Controllers), Silent: namesOf(n, s.Silent), Frozen: s.Frozen}, err
	}
	var done replica.Recovered
	var err error
	if r.Name == "" {
		done, err = h.Rescue(ctx, key)
	} else {
		done, err = h.Recover(ctx, id, r.Account)
	}
	return recoverInfo{
		Height: done.Start, Epoch: done.Epoch, Controllers: done.Of, Silent: namesOf(n, done.Silent), Start: done.Start, Carried: done.Carried,
	}, err
}

// namesOf returns what people call nodes, in order.
func namesOf(n *node.Node, ids []rooms.NodeID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = nameOf(n, id)
	}
	slices.SortFunc(out, byName)
	return out
}
