package overlay

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// A request stream carries one request and one answer:
//
//	request:  length (4 bytes, big endian) | bytes
//	answer:   status (0 fine, 1 the rest is an error's text) | length (4) | bytes
const (
	statusOK    = 0
	statusError = 1
)

// RemoteError is what the other node answered instead of a result. Its text is that node's word: do not
// trust it, and do not decide by it.
type RemoteError struct{ Text string }

func (e *RemoteError) Error() string { return "the other node says: " + e.Text }

var errTooLong = errors.New("longer than allowed")

func writeRequest(w io.Writer, b []byte) error {
	buf := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(b)), uint32(len(b)))
	_, err := w.Write(append(buf, b...))
	return err
}

// readMessage reads length and bytes, at most limit.
func readMessage(r io.Reader, limit int) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if uint64(n) > uint64(limit) {
		return nil, fmt.Errorf("message of %d bytes, limit %d: %w", n, limit, errTooLong)
	}
	return readN(r, int(n))
}

// writeAnswer writes a result, or the text of err.
func writeAnswer(w io.Writer, b []byte, err error) error {
	status := byte(statusOK)
	if err != nil {
		text := strings.ToValidUTF8(err.Error(), "?")
		if len(text) > maxErrorText {
			text = strings.ToValidUTF8(text[:maxErrorText], "")
		}
		status, b = statusError, []byte(text)
	}
	buf := make([]byte, 0, 5+len(b))
	buf = binary.BigEndian.AppendUint32(append(buf, status), uint32(len(b)))
	_, e := w.Write(append(buf, b...))
	return e
}

// readAnswer reads a result, or a *RemoteError.
func readAnswer(r io.Reader, limit int) ([]byte, error) {
	var status [1]byte
	if _, err := io.ReadFull(r, status[:]); err != nil {
		return nil, err
	}
	switch status[0] {
	case statusOK:
		return readMessage(r, limit)
	case statusError:
		text, err := readMessage(r, maxErrorText)
		if err != nil {
			return nil, err
		}
		return nil, &RemoteError{strings.ToValidUTF8(string(text), "?")}
	default:
		return nil, fmt.Errorf("answer with unknown status %d", status[0])
	}
}
