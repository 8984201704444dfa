# fish completion for knarr

function __knarr_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l program $before[1]
    set -e before[1]
    set -l lines ($program __complete $before "$current" 2>/dev/null)
    set -l directive (string replace -r '^:' '' -- $lines[-1])
    set -e lines[-1]
    string match -qr '^[0-9]+$' -- "$directive"; or return
    test (math "bitand($directive, 1)") -ne 0; and return
    if test (math "bitand($directive, 8)") -ne 0
        for ending in $lines
            __fish_complete_suffix "$current" .$ending
        end
        return
    end
    if test (math "bitand($directive, 16)") -ne 0
        __fish_complete_directories "$current"
        return
    end
    # The value of --flag=value is completed together with the flag.
    set -l kept (string match -r '^-[^=]*=' -- "$current")
    for line in $lines
        echo $kept$line
    end
    if test (count $lines) -eq 0; and test (math "bitand($directive, 4)") -eq 0
        __fish_complete_path "$current"
    end
end

complete -c knarr -e
complete -c knarr -f -k -a '(__knarr_complete)'
