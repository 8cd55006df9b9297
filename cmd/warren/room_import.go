package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"warren/node"
	"warren/rooms"
	"warren/rooms/archive"
	"warren/rooms/errs"
	"warren/rooms/replica"
)

// importInfo is the node's answer to an import.
type importInfo struct {
	Room string    `json:"room"` // id
	Name string    `json:"name"`
	Had  uint64    `json:"had"` // height of the copy before
	Has  uint64    `json:"has"` // and after
	Fork *forkInfo `json:"fork,omitempty"`
}

// forkInfo is the proof that controllers signed two histories.
type forkInfo struct {
	Height uint64     `json:"height"`
	Epoch  uint64     `json:"epoch"`
	Here   headerInfo `json:"here"` // on the node
	There  headerInfo `json:"there"`
	Both   []string   `json:"both"` // node ids: who signed both headers
}

type headerInfo struct {
	Hash    string   `json:"hash"`
	Header  []byte   `json:"header"` // encoded
	Cert    []byte   `json:"certificate"`
	Signers []string `json:"signers"`
}

// errFork is what an import ends with that met another history.
var errFork = errors.New("the file holds another history of this room than the node: nothing was imported")

// importRoom checks a file, and has the node take in what it lacks.
func (c *call) importRoom(path string) error {
	if _, err := c.lived(); err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if _, err := c.verifyFile(f, rooms.Hash{}); err != nil {
		return fmt.Errorf("%s is not sound, nothing was imported: %w", path, err)
	}
	var info importInfo
	err = c.withNode(false, func(ctx context.Context, data string) error {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		info = importInfo{}
		return c.sendFile(ctx, data, f, &info)
	})
	if err != nil {
		return err
	}
	if *c.json {
		if err := printJSON(c, info); err != nil {
			return err
		}
	}
	switch {
	case info.Fork != nil:
		if !*c.json {
			info.Fork.print(c.out)
		}
		return errFork
	case *c.json:
	case info.Has == info.Had:
		fmt.Fprintf(c.out, "#%s was at height %d here already: there was nothing to import\n", info.Name, info.Had)
	default:
		fmt.Fprintf(c.out, "#%s is at height %d here now; it was at %d\n", info.Name, info.Has, info.Had)
	}
	return nil
}

func (c *call) sendFile(ctx context.Context, data string, f *os.File, info *importInfo) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	bar := newProgress(c.err, "import", st.Size())
	defer bar.end()
	resp, err := stream(ctx, data, http.MethodPost, "/room/import", io.TeeReader(f, bar))
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	return json.NewDecoder(resp.Body).Decode(info)
}

func (f *forkInfo) print(w io.Writer) {
	fmt.Fprintf(w, "Proof of a fork: two headers of height %d (epoch %d), each signed by a quorum.\n", f.Height, f.Epoch)
	for _, h := range []struct {
		where string
		headerInfo
	}{{"in the file", f.There}, {"on this node", f.Here}} {
		fmt.Fprintf(w, "%s: %s\n  header       %x\n  certificate  %x\n  signed by    %s\n", h.where, h.Hash, h.Header, h.Cert, strings.Join(h.Signers, " "))
	}
	fmt.Fprintf(w, "Who signed both lies: %s\n", strings.Join(f.Both, " "))
}

// importInto has the node take in an archive. Another history is an answer, not an error: it is a proof, to be shown whole.
func importInto(ctx context.Context, n *node.Node, file io.Reader) (importInfo, error) {
	got, err := n.Host().Import(ctx, file)
	info := importInfo{Room: got.Room.String(), Name: got.Name, Had: got.Had, Has: got.Has}
	var fork *replica.Fork
	switch {
	case errors.As(err, &fork):
		info.Fork = &forkInfo{
			Height: fork.Here.Header.Height, Epoch: fork.Here.Header.Epoch, Here: infoOf(fork.Here), There: infoOf(fork.There), Both: texts(fork.Both()),
		}
		return info, nil
	case errors.Is(err, errs.Closed):
		return info, fmt.Errorf("the room cannot take anything in: %w", err)
	case errors.Is(err, replica.ErrForeign), errors.Is(err, archive.ErrNotArchive):
		return info, err
	case err != nil:
		return info, fmt.Errorf("the import stopped: %w", err)
	}
	return info, nil
}

func infoOf(c replica.Certified) headerInfo {
	h := headerInfo{Hash: c.Header.Hash().String(), Header: rooms.Marshal(&c.Header), Cert: rooms.Marshal(c.Cert)}
	for _, s := range c.Cert {
		h.Signers = append(h.Signers, s.Node.String())
	}
	return h
}
