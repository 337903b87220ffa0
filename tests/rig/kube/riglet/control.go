package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"strconv"
	"time"
)

// serveControl answers the verbs of scripts/rig. Plain HTTP on loopback: whoever
// reaches it could read the rig's keys as well.
func (r *rig) serveControl(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /rules", func(w http.ResponseWriter, _ *http.Request) {
		for _, have := range r.rules.list() {
			fmt.Fprintf(w, "%d %s %s\n", have.ID, have.Selector, have.Mode)
		}
	})
	mux.HandleFunc("POST /rules", r.postRule)
	mux.HandleFunc("DELETE /rules", r.deleteRules)
	mux.HandleFunc("POST /forwards", func(w http.ResponseWriter, req *http.Request) {
		port, err := strconv.ParseInt(req.FormValue("port"), 10, 32)
		if err == nil {
			_, _, err = net.SplitHostPort(req.FormValue("target"))
		}
		if err == nil {
			err = r.rules.addForward(forward{Pods: req.FormValue("pods"), Port: int32(port),
				Target: req.FormValue("target")})
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	mux.HandleFunc("GET /ray", func(w http.ResponseWriter, req *http.Request) {
		fmt.Fprintln(w, r.runner.readyRayNodes(req.FormValue("cluster")))
	})
	mux.HandleFunc("GET /pods", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(r.runner.describe())
	})
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", r.controlPort))
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := server.Serve(listener); err != http.ErrServerClosed {
			log.Printf("control: %v", err)
		}
	}()
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	return nil
}

func (r *rig) postRule(w http.ResponseWriter, req *http.Request) {
	added, err := r.rules.add(req.FormValue("selector"), req.FormValue("mode"))
	if err == nil {
		err = r.syncWebhook(req.Context())
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	log.Printf("rule %d: pods %s are to fail with %s", added.ID, added.Selector, added.Mode)
	r.enqueueAll()
}

func (r *rig) deleteRules(w http.ResponseWriter, req *http.Request) {
	gone, err := r.rules.remove(req.FormValue("selector"))
	if err == nil {
		err = r.syncWebhook(req.Context())
	}
	for _, have := range gone {
		if have.Mode == "Unschedulable" && err == nil {
			err = r.admitRule(req.Context(), have)
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	log.Printf("rules removed: %d", len(gone))
	r.enqueueAll()
}
