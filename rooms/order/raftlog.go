package order

import (
	"fmt"
	"log/slog"
)

// raftLog gives raft's own words to slog at debug level, and nothing at all when there is no logger. Its Panic and Fatal panic: the
// controller's recover turns that into a broken controller.
type raftLog struct{ log *slog.Logger }

func (l raftLog) say(v ...any) {
	if l.log != nil {
		l.log.Debug("raft: " + fmt.Sprint(v...))
	}
}

func (l raftLog) sayf(format string, v ...any) {
	if l.log != nil {
		l.log.Debug("raft: " + fmt.Sprintf(format, v...))
	}
}

func (l raftLog) Debug(v ...any)                   {}
func (l raftLog) Debugf(format string, v ...any)   {}
func (l raftLog) Error(v ...any)                   { l.say(v...) }
func (l raftLog) Errorf(format string, v ...any)   { l.sayf(format, v...) }
func (l raftLog) Info(v ...any)                    { l.say(v...) }
func (l raftLog) Infof(format string, v ...any)    { l.sayf(format, v...) }
func (l raftLog) Warning(v ...any)                 { l.say(v...) }
func (l raftLog) Warningf(format string, v ...any) { l.sayf(format, v...) }
func (l raftLog) Fatal(v ...any)                   { panic(fmt.Sprint(v...)) }
func (l raftLog) Fatalf(format string, v ...any)   { panic(fmt.Sprintf(format, v...)) }
func (l raftLog) Panic(v ...any)                   { panic(fmt.Sprint(v...)) }
func (l raftLog) Panicf(format string, v ...any)   { panic(fmt.Sprintf(format, v...)) }
