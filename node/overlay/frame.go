package overlay

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// Kinds of frames. Numbers are never reused; unknown ones are skipped, so that newer nodes may send more.
const (
	kindApp       byte = 0 // payload is the consumer's, up to MaxFrame
	kindHello     byte = 1 // first frame of a stream: see hello
	kindHeartbeat byte = 2 // see heartbeat
	kindPeers     byte = 3 // addresses of admitted peers: see peersMsg
)

const (
	headerLen      = 4
	maxControl     = 64       // payload of hello and heartbeat, with room to grow
	maxPeersFrame  = 64 << 10 // payload of a peers frame, and of kinds not known here
	readBufferSize = 32 << 10
	firstAlloc     = 64 << 10 // a claimed length beyond this is believed only as bytes arrive
)

var errFrame = errors.New("bad frame")

// appendHeader appends the header of a frame with n payload bytes.
func appendHeader(dst []byte, kind byte, n int) []byte {
	return append(dst, kind, byte(n>>16), byte(n>>8), byte(n))
}

// kindLimit is the greatest payload of a kind, in bytes.
func kindLimit(kind byte) int {
	switch kind {
	case kindApp:
		return MaxFrame
	case kindHello, kindHeartbeat:
		return maxControl
	default:
		return maxPeersFrame
	}
}

// frameReader cuts a stream into frames. Not safe for concurrent use.
type frameReader struct{ r *bufio.Reader }

func newFrameReader(r io.Reader) *frameReader {
	return &frameReader{bufio.NewReaderSize(r, readBufferSize)}
}

// next returns the next frame; the caller owns the payload. A length above the kind's limit is errFrame;
// a stream that ends within a frame is io.ErrUnexpectedEOF, between frames io.EOF.
func (f *frameReader) next() (kind byte, payload []byte, err error) {
	head, err := f.r.Peek(headerLen)
	if err != nil {
		if err == io.EOF && len(head) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	kind = head[0]
	n := int(head[1])<<16 | int(head[2])<<8 | int(head[3])
	if limit := kindLimit(kind); n > limit {
		return 0, nil, fmt.Errorf("%w: kind %d claims %d bytes, at most %d are allowed", errFrame, kind, n, limit)
	}
	if _, err := f.r.Discard(headerLen); err != nil {
		return 0, nil, err
	}
	payload, err = readN(f.r, n)
	return kind, payload, err
}

// readN reads exactly n bytes, allocating no more than firstAlloc beyond double of what has arrived.
func readN(r io.Reader, n int) ([]byte, error) {
	buf := make([]byte, min(n, firstAlloc))
	for got := 0; ; {
		m, err := io.ReadFull(r, buf[got:])
		got += m
		if err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if got == n {
			return buf, nil
		}
		bigger := make([]byte, min(n, 2*got))
		copy(bigger, buf)
		buf = bigger
	}
}

// hello opens a frames stream: version (1 byte), incarnation (8), heartbeat in ms (4), known (2), clock in
// ms since 1970 (8). Receivers ignore what follows. Older nodes end it after the heartbeat: they know nothing of paces; or before the clock.
type hello struct {
	incarnation uint64        // random per process: tells a restart from a broken connection
	heartbeat   time.Duration // how often the sender sends at least, until it says otherwise
	known       uint16        // members of which the sender has an address
	paces       bool          // the sender understands the pace of a heartbeat
	clock       int64         // the sender's wall clock, in ms since 1970; 0: not told
}

const frameVersion = 1

func (h hello) encode() []byte {
	b := []byte{frameVersion}
	b = binary.BigEndian.AppendUint64(b, h.incarnation)
	b = binary.BigEndian.AppendUint32(b, uint32(h.heartbeat.Milliseconds()))
	if h.paces {
		b = binary.BigEndian.AppendUint16(b, h.known)
		if h.clock != 0 {
			b = binary.BigEndian.AppendUint64(b, uint64(h.clock))
		}
	}
	return b
}

func decodeHello(b []byte) (hello, error) {
	if len(b) < 13 || b[0] != frameVersion {
		return hello{}, fmt.Errorf("%w: hello of %d bytes", errFrame, len(b))
	}
	h := hello{
		incarnation: binary.BigEndian.Uint64(b[1:]),
		heartbeat:   time.Duration(binary.BigEndian.Uint32(b[9:])) * time.Millisecond,
	}
	if h.heartbeat > maxHeartbeat {
		return hello{}, fmt.Errorf("%w: heartbeat of %v", errFrame, h.heartbeat)
	}
	if len(b) >= 15 {
		h.known, h.paces = binary.BigEndian.Uint16(b[13:]), true
	}
	if len(b) >= 23 {
		h.clock = int64(binary.BigEndian.Uint64(b[15:]))
	}
	return h, nil
}

// heartbeat measures the round trip without frames of its own, as NTP does: each side sends its clock, the
// last clock it heard from the other, and how long ago that was. 3 times 8 bytes, nanoseconds; then, unless it
// is what the hello said, the pace in ms (4).
type heartbeat struct {
	stamp uint64        // the sender's clock; any origin, never 0
	echo  uint64        // the receiver's clock as last heard; 0: none
	held  time.Duration // time between hearing echo and sending this
	pace  time.Duration // something comes again within so long; 0: as the hello said
}

func (h heartbeat) encode() []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 24), h.stamp)
	b = binary.BigEndian.AppendUint64(b, h.echo)
	b = binary.BigEndian.AppendUint64(b, uint64(h.held))
	if h.pace > 0 {
		b = binary.BigEndian.AppendUint32(b, uint32(h.pace.Milliseconds()))
	}
	return b
}

func decodeHeartbeat(b []byte) (heartbeat, error) {
	if len(b) < 24 {
		return heartbeat{}, fmt.Errorf("%w: heartbeat of %d bytes", errFrame, len(b))
	}
	h := heartbeat{
		stamp: binary.BigEndian.Uint64(b),
		echo:  binary.BigEndian.Uint64(b[8:]),
		held:  time.Duration(binary.BigEndian.Uint64(b[16:])),
	}
	if len(b) >= 28 {
		h.pace = time.Duration(binary.BigEndian.Uint32(b[24:])) * time.Millisecond
	}
	if h.pace > maxHeartbeat {
		return heartbeat{}, fmt.Errorf("%w: heartbeat that promises the next one in %v", errFrame, h.pace)
	}
	return h, nil
}
