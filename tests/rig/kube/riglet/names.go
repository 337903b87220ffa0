package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

// resolve finds the address behind a service's name: the first real pod it selects.
func (n *runner) resolve(host string) string {
	parts := strings.Split(host, ".")
	if len(parts) < 2 {
		return ""
	}
	service, err := n.rig.services.Services(parts[1]).Get(parts[0])
	if err != nil || len(service.Spec.Selector) == 0 {
		return ""
	}
	selector := labels.SelectorFromSet(service.Spec.Selector)
	for _, s := range n.all() {
		if s.pod.Namespace == parts[1] && selector.Matches(labels.Set(s.pod.Labels)) && !s.leaving() {
			return s.net.ip.String()
		}
	}
	return ""
}

// keepHosts keeps the names of services known inside the pods, and the list of
// dashboards outside: there is no cluster DNS.
func (n *runner) keepHosts() {
	dashboards := newDashboards(n.rig)
	for {
		for _, s := range n.all() {
			n.writeHosts(s)
		}
		dashboards.update(n.all())
		time.Sleep(500 * time.Millisecond)
	}
}

func (n *runner) writeHosts(s *sandbox) {
	var text strings.Builder
	text.WriteString("127.0.0.1 localhost\n")
	fmt.Fprintf(&text, "%s %s\n", s.net.ip, s.pod.Name)
	fmt.Fprintf(&text, "%s kubernetes.default.svc.cluster.local kubernetes.default.svc kubernetes.default\n",
		serviceAddress)
	services, _ := n.rig.services.List(everything)
	sort.Slice(services, func(i, j int) bool {
		return services[i].Namespace+"/"+services[i].Name < services[j].Namespace+"/"+services[j].Name
	})
	for _, service := range services {
		name := service.Name + "." + service.Namespace
		if ip := n.resolve(name); ip != "" {
			fmt.Fprintf(&text, "%s %s.svc.cluster.local %s.svc %s", ip, name, name, name)
			if service.Namespace == s.pod.Namespace {
				text.WriteString(" " + service.Name)
			}
			text.WriteByte('\n')
		}
	}
	if have, err := os.ReadFile(s.hosts); err == nil && string(have) == text.String() {
		return
	}
	if !exists(filepath.Dir(s.hosts)) {
		return // the pod is being taken away
	}
	// In place: containers see this very file.
	if err := os.WriteFile(s.hosts, []byte(text.String()), 0o644); err != nil {
		log.Printf("hosts of %s: %v", s.name(), err)
	}
}

// dashboards gives each head's dashboard an address on this machine's loopback.
type dashboards struct {
	rig  *rig
	open map[types.UID]net.Listener
	last string
}

func newDashboards(r *rig) *dashboards {
	d := &dashboards{rig: r, open: map[types.UID]net.Listener{}}
	d.write("")
	return d
}

func (d *dashboards) update(list []*sandbox) {
	var text strings.Builder
	alive := map[types.UID]bool{}
	for _, s := range list {
		if s.pod.Labels["ray.io/node-type"] != "head" || s.leaving() {
			continue
		}
		alive[s.pod.UID] = true
		// Rigs side by side differ in the second octet.
		address := fmt.Sprintf("127.%d.%d.%d:8265", 64+d.rig.kubeletPort%128, s.net.ip[2], s.net.ip[3])
		if d.open[s.pod.UID] == nil {
			listener, err := net.Listen("tcp4", address)
			if err != nil {
				log.Printf("dashboard of %s: %v", s.name(), err)
				continue
			}
			d.open[s.pod.UID] = listener
			go serveDashboard(listener, s)
		}
		fmt.Fprintf(&text, "%s/%s http://%s pod=%s ip=%s\n", s.pod.Namespace,
			s.pod.Labels["ray.io/cluster"], address, s.pod.Name, s.net.ip)
	}
	for uid, listener := range d.open {
		if !alive[uid] {
			listener.Close()
			delete(d.open, uid)
		}
	}
	d.write(text.String())
}

func (d *dashboards) write(text string) {
	if text == d.last && d.last != "" {
		return
	}
	file := filepath.Join(d.rig.dir, "dashboards")
	if have, err := os.ReadFile(file); err == nil && string(have) == text {
		return
	}
	d.last = text
	if err := os.WriteFile(file+".new", []byte(text), 0o644); err == nil {
		_ = os.Rename(file+".new", file)
	}
}

func serveDashboard(listener net.Listener, s *sandbox) {
	for {
		from, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer from.Close()
			to, err := s.net.dial(8265, 5*time.Second)
			if err != nil {
				return
			}
			defer to.Close()
			go func() {
				_, _ = io.Copy(to, from)
				_ = to.(*net.TCPConn).CloseWrite()
			}()
			_, _ = io.Copy(from, to)
		}()
	}
}
