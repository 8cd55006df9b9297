package archive_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"warren/rooms/archive"
)

// FuzzReader: whatever the bytes, reading ends, in an error or at the end, and takes no more memory than the bytes are worth.
func FuzzReader(f *testing.F) {
	file := newWorld(f).live(7).file()
	f.Add(file)
	f.Add(file[:len(file)/2])
	f.Add([]byte("warrenA1"))
	f.Add(append([]byte("warrenA1\x01"), binary.BigEndian.AppendUint32(nil, 1<<32-1)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		in, err := archive.NewReader(bytes.NewReader(data))
		if err != nil {
			return
		}
		for n := 0; ; n++ {
			rec, err := in.Next()
			if errors.Is(err, io.EOF) || err != nil {
				return
			}
			if n > len(data) || rec.Offset >= int64(len(data)) {
				t.Fatalf("record %d of %d bytes, at %d", n, len(data), rec.Offset)
			}
		}
	})
}

// FuzzVerify: nothing but a sound file passes. What the fuzzer makes of one differs from it and has no keys.
func FuzzVerify(f *testing.F) {
	file := newWorld(f).live(7).file()
	network := networkOf(file)
	f.Add(0, byte(1))
	f.Add(len(file)/2, byte(128))
	f.Fuzz(func(t *testing.T, at int, flip byte) {
		if at < 0 || at >= len(file) || flip == 0 {
			return
		}
		bad := bytes.Clone(file)
		bad[at] ^= flip
		if at < len(bad)-32 {
			mend(bad)
		}
		if _, err := archive.Verify(bytes.NewReader(bad), network); err == nil {
			t.Fatalf("byte %d was changed by %#x, and nothing was found", at, flip)
		}
	})
}
