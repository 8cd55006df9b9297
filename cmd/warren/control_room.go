package main

import (
	"encoding/json"
	"io"
	"net/http"
	"time"

	"warren/node"
)

// brokenOff is the trailer that says why an answer that had begun did not come to its end.
const brokenOff = "Warren-Error"

// handleRooms serves what is too long for one piece of JSON: whole rooms, as streams.
func handleRooms(mux *http.ServeMux, n *node.Node) {
	mux.HandleFunc("GET /room/export", func(w http.ResponseWriter, r *http.Request) {
		out := &begun{ResponseWriter: w}
		switch err := exportFrom(r.Context(), n, r.URL.Query().Get("name"), out); {
		case err != nil && out.yes:
			w.Header().Set(http.TrailerPrefix+brokenOff, oneLine(err))
		case err != nil:
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		}
	})
	mux.HandleFunc("POST /room/import", func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // a long file takes as long as it takes: only the node's owner can send one
		info, err := importInto(r.Context(), n, r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		_ = json.NewEncoder(w).Encode(info)
	})
}

// begun notes whether anything was written: after that no status can be told.
type begun struct {
	http.ResponseWriter
	yes bool
}

func (b *begun) Write(p []byte) (int, error) {
	b.yes = true
	return b.ResponseWriter.Write(p)
}
