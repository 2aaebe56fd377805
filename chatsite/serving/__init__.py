"""How requests and sockets reach the site: connections and their limits, bodies, origins, the server itself."""
