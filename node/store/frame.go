package store

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// A segment is a header and then frames; what follows the last frame is zeros
// (space laid out ahead) or what a torn write left. All numbers are BE.
//
//	header, 32 B: "warrenW1" ‖ first seq 8 B ‖ salt 8 B ‖ zeros 4 B ‖ CRC32C of the 28 bytes before 4 B
//	frame:        first half of the salt 4 B ‖ len(body) 4 B ‖ CRC32C 4 B ‖ first seq 8 B ‖ number of batches 4 B ‖ body
//	body:         for each batch: len(operations) 4 B ‖ operations (see appendOp)
//
// One frame is what one fdatasync made durable, so it holds all batches that
// waited at that moment. A frame is only begun when the one before is durable.
// Hence a damaged frame with a good one behind it was damaged after its sync:
// that is corruption; a damaged frame with nothing good behind it was torn.
//
// The checksum of a frame covers the segment's random salt, then the frame
// from its length on without the checksum. The salt never leaves this machine:
// so nobody can have us store bytes that pass for a frame, or that look so much
// like many frames that the search in a torn end takes long.
const (
	segmentMagic  = "warrenW1"
	segmentHeader = 32
	frameHeader   = 4 + 4 + 4 + 8 + 4

	// maxFrameBody is what the writer may put into one frame: a full group
	// and, on top, the largest batch.
	maxFrameBody = MaxBatchBytes + maxGroupBytes + 1<<20
)

// errTorn is returned by decodeFrame for bytes that are no complete frame.
var errTorn = errors.New("no complete frame")

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) } // made once by crc32

// newSalt returns a random salt whose first half is not 0, since zeros are what
// lies behind the last frame.
func newSalt() uint64 {
	for {
		var raw [8]byte
		_, _ = rand.Read(raw[:]) // never fails, see crypto/rand
		if salt := binary.BigEndian.Uint64(raw[:]); salt>>32 != 0 {
			return salt
		}
	}
}

func appendSegmentHeader(dst []byte, first, salt uint64) []byte {
	at := len(dst)
	dst = append(dst, segmentMagic...)
	dst = binary.BigEndian.AppendUint64(dst, first)
	dst = binary.BigEndian.AppendUint64(dst, salt)
	dst = append(dst, 0, 0, 0, 0)
	return binary.BigEndian.AppendUint32(dst, crc32.Checksum(dst[at:], castagnoli()))
}

func decodeSegmentHeader(b []byte) (first, salt uint64, ok bool) {
	if len(b) < segmentHeader || string(b[:8]) != segmentMagic || binary.BigEndian.Uint32(b[24:]) != 0 ||
		crc32.Checksum(b[:28], castagnoli()) != binary.BigEndian.Uint32(b[28:]) {
		return 0, 0, false
	}
	return binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[16:]), true
}

// appendFrame appends one frame with these batches to dst.
func appendFrame(dst []byte, salt, first uint64, batches [][]byte) []byte {
	at := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, uint32(salt>>32))
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0) // length and checksum, set below
	dst = binary.BigEndian.AppendUint64(dst, first)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(batches)))
	for _, ops := range batches {
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(ops)))
		dst = append(dst, ops...)
	}
	f := dst[at:]
	binary.BigEndian.PutUint32(f[4:], uint32(len(f)-frameHeader))
	binary.BigEndian.PutUint32(f[8:], frameChecksum(salt, f))
	return dst
}

func frameChecksum(salt uint64, f []byte) uint32 {
	var s [8]byte
	binary.BigEndian.PutUint64(s[:], salt)
	t := castagnoli()
	c := crc32.Update(crc32.Checksum(s[:], t), t, f[4:8])
	return crc32.Update(c, t, f[12:])
}

// A frame is one decoded frame. The batches point into the bytes decoded.
type frame struct {
	first   uint64   // sequence number of the first batch
	batches [][]byte // encoded operations
	size    int      // bytes taken
}

// decodeFrame reads the frame at the beginning of b, which may hold anything.
// It returns errTorn when there is no complete frame, and another error when
// the checksum is good but the content makes no sense.
func decodeFrame(b []byte, salt uint64) (frame, error) {
	if len(b) < frameHeader || binary.BigEndian.Uint32(b) != uint32(salt>>32) {
		return frame{}, errTorn
	}
	n := uint64(binary.BigEndian.Uint32(b[4:]))
	if n > maxFrameBody || n > uint64(len(b)-frameHeader) {
		return frame{}, errTorn
	}
	b = b[:frameHeader+int(n)]
	if frameChecksum(salt, b) != binary.BigEndian.Uint32(b[8:]) {
		return frame{}, errTorn
	}
	f := frame{first: binary.BigEndian.Uint64(b[12:]), size: len(b)}
	count := uint64(binary.BigEndian.Uint32(b[20:]))
	body := b[frameHeader:]
	if count == 0 || count > uint64(len(body)/4) || f.first == 0 || f.first+count < f.first {
		return frame{}, fmt.Errorf("frame of %d batches in %d bytes", count, len(body))
	}
	f.batches = make([][]byte, 0, count)
	for range count {
		if len(body) < 4 {
			return frame{}, errors.New("frame: batch cut short")
		}
		m := uint64(binary.BigEndian.Uint32(body))
		if body = body[4:]; m > uint64(len(body)) {
			return frame{}, errors.New("frame: batch cut short")
		}
		f.batches = append(f.batches, body[:m:m])
		body = body[m:]
	}
	if len(body) != 0 {
		return frame{}, errors.New("frame: bytes left over")
	}
	return f, nil
}

// frameBehind looks for a good frame with a sequence number above seq anywhere
// in b and returns its offset, or -1.
func frameBehind(b []byte, salt, seq uint64) int {
	marker := binary.BigEndian.AppendUint32(nil, uint32(salt>>32))
	for at := 0; ; at++ {
		i := bytes.Index(b[at:], marker)
		if i < 0 {
			return -1
		}
		at += i
		if f, err := decodeFrame(b[at:], salt); err == nil && f.first > seq {
			return at
		}
	}
}
