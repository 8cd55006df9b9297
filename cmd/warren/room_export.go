package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/term"

	"warren/node"
	"warren/node/config"
	"warren/rooms"
	"warren/rooms/errs"
)

// archiveExt is the end of an archive's name.
const archiveExt = ".warren"

// exportRoom writes a room's archive to a file that comes into being only when it is whole.
func (c *call) exportRoom(name, to string) error {
	cfg, err := c.lived()
	if err != nil {
		return err
	}
	if to == "-" {
		if f, ok := c.out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			return usageError("an archive is nothing for a terminal: send standard output to a file")
		}
		return c.exportTo(cfg, name, c.out)
	}
	if to == "" {
		to = fileName(name)
	}
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there already: name another file by -o", to)
	}
	f, err := os.CreateTemp(filepath.Dir(to), ".export-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // when it was not renamed
	bar := newProgress(c.err, "export", 0)
	out := bufio.NewWriterSize(f, 1<<20)
	err = c.exportTo(cfg, name, io.MultiWriter(out, bar))
	bar.end()
	if err == nil {
		err = out.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), to); err != nil {
		return err
	}
	if *c.json {
		return printJSON(c, map[string]any{"file": to, "bytes": bar.done})
	}
	fmt.Fprintf(c.out, "#%s is in %s (%s); anybody can check it: warren verify %s\n", name, to, sizeOf(bar.done), to)
	return nil
}

// exportTo has the running node write the archive, or writes it from the data directory of a stopped one.
func (c *call) exportTo(cfg config.Config, name string, w io.Writer) error {
	ctx := context.Background()
	resp, err := stream(ctx, string(cfg.Node.Data), http.MethodGet, "/room/export?name="+url.QueryEscape(name), nil)
	if err == nil {
		defer func() { _ = resp.Body.Close() }()
		if _, err := io.Copy(w, resp.Body); err != nil {
			return fmt.Errorf("the node stopped sending: %w", err)
		}
		if why := resp.Trailer.Get(brokenOff); why != "" {
			return errors.New(why)
		}
		return nil
	}
	if !errors.Is(err, errNotRunning) {
		return err
	}
	cfg.Network.Listen, cfg.Network.Bootstrap, cfg.Network.MDNS = []string{}, nil, false // nobody is to be spoken with
	n, err := node.Open(cfg, false, logger(c, cfg))
	if err != nil {
		return err
	}
	return errors.Join(exportFrom(ctx, n, name, w), n.Close())
}

// exportFrom writes the archive of the room of this name (without '#').
func exportFrom(ctx context.Context, n *node.Node, name string, w io.Writer) error {
	var rec rooms.RoomRecord
	known := false
	n.Host().Directory(func(d *rooms.Directory) { rec, known = d.RoomByName(name) })
	if !known {
		return fmt.Errorf("the network has no room #%s", name)
	}
	err := n.Host().Export(ctx, rec.ID, w)
	if errors.Is(err, errs.NotFound) || errors.Is(err, errs.Closed) {
		return fmt.Errorf("#%s was closed meanwhile: %w", name, err)
	}
	return err
}

// fileName returns the file for a room's archive, in the working directory. Rooms' names may hold what file names should not.
func fileName(room string) string {
	clean := strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' || r == os.PathSeparator {
			return '_'
		}
		return r
	}, room)
	return strings.TrimLeft(clean, ".-") + archiveExt
}
