package main

import (
	"os/exec"
	"runtime"
	"sync"
)

// A container is to die with riglet, however that ends. The kernel ties this to the
// thread that started it, so that one thread starts them all and is never given up.
type spawnRequest struct {
	cmd  *exec.Cmd
	done chan error
}

var spawner = sync.OnceValue(func() chan<- spawnRequest {
	requests := make(chan spawnRequest)
	go func() {
		runtime.LockOSThread()
		for request := range requests {
			request.done <- request.cmd.Start()
		}
	}()
	return requests
})

func spawn(cmd *exec.Cmd) error {
	request := spawnRequest{cmd: cmd, done: make(chan error, 1)}
	spawner() <- request
	return <-request.done
}
