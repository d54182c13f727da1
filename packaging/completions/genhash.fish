# fish completion for genhash
complete -c genhash -f
complete -c genhash -s s -l server -x -d 'server to ask'
complete -c genhash -s p -l port -x -d 'its port'
complete -c genhash -s u -l url -x -d 'page to ask for'
complete -c genhash -s S -l use-ssl -d 'by TLS'
complete -c genhash -s I -l use-sni -d 'send the virtual host\'s name by SNI, too'
complete -c genhash -s V -l use-virtualhost -x -d 'virtual host to ask'
complete -c genhash -s m -l fwmark -x -d 'firewall mark of the packets'
complete -c genhash -s P -l protocol -x -a '1.0 1.1 1.0c' -d '1.0 (default), 1.1, or 1.0c: 1.0 with Connection: close'
complete -c genhash -s t -l timeout -x -d 'longest wait for each step'
complete -c genhash -s v -l verbose -d 'show all that is received'
complete -c genhash -s h -l help -d 'print this'
