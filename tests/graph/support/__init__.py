"""What the tests of graph share: servers, applications, clients and forms."""
