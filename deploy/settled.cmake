# deploy/settled.cmake - the sample of a configuration file with some lines as they are installed:
#
#     cmake -DPROGRAM=ringcast -DLINES=packaged.conf -DOUT=ringcast.conf -P settled.cmake
#
# A line of LINES takes the place of the commented one of the same name, which has to be there.
execute_process(COMMAND ${PROGRAM} --print-sample-config OUTPUT_VARIABLE sample COMMAND_ERROR_IS_FATAL ANY)
file(STRINGS ${LINES} lines)
foreach(line ${lines})
    string(REGEX MATCH "[a-z_]+" name "${line}")
    string(REGEX REPLACE "\n#${name} =[^\n]*\n" "\n${line}\n" settled "${sample}")
    if(settled STREQUAL sample AND NOT sample MATCHES "\n${line}\n")
        message(FATAL_ERROR "${LINES}: the sample has no option ${name}")
    endif()
    set(sample "${settled}")
endforeach()
file(WRITE ${OUT} "${sample}")
