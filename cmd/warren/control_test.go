package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheControlSocketIsWhereOnlyItsUserCanEnter(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	if p, err := controlPath("/short"); err != nil || p != "/short/"+controlName {
		t.Errorf("short path: %q, %v", p, err)
	}
	long := "/" + strings.Repeat("x", maxSockPath)
	p, err := controlPath(long)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(p)
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder of the socket: %v, %v", info, err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := controlPath(long); err == nil {
		t.Error("a folder that others can enter was taken")
	}
}
